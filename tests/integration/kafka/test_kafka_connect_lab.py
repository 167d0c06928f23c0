"""The commands of docs/labs/kafka-connect.md, as they stand there, in one shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from hanse.adapters.kafka import broker, connect
from hanse.errors import ConfigError
from helpers.kafka_broker import absent

PAGE = Path(__file__).resolve().parents[3] / "docs/labs/kafka-connect.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
DONE = "done with command"

pytestmark = pytest.mark.kafka


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Each command, with its here-document, and the lines that it must print."""
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in (line for block in BLOCK.findall(text) for line in block.splitlines()):
        if line.startswith("$ "):
            found.append((line[2:], []))
            inside = "<<EOF" in line
        elif inside:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
            inside = line != "EOF"
        elif line.strip():
            found[-1][1].append(line)
    return found


@pytest.fixture
def lab(tmp_path: Path) -> object:
    try:
        broker.java()
        broker.jars()
        connect.jars()
    except ConfigError as error:
        absent(str(error))
    yield tmp_path
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((tmp_path / "lab/connect.pid").read_text()), signal.SIGKILL)
    broker.stop(tmp_path / "lab/.hanse/kafka")


def test_the_lab_runs_as_written(lab: Path) -> None:
    made = steps(PAGE.read_text(encoding="utf-8"))
    script = "set -e\n" + "\n".join(f"{command}\necho '{DONE}' {n}" for n, (command, _) in enumerate(made))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "120",
    }
    with (lab / "output").open("w+") as output:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=lab,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=240,
        )
        output.seek(0)
        printed = output.read()
    assert done.returncode == 0, printed
    outputs = re.split(rf"{DONE} \d+\n", printed)
    for (command, expected), text in zip(made, outputs, strict=False):
        for line in expected:
            assert " ".join(line.split()) in " ".join(text.split()), f"{command}\nlacks {line!r} in\n{text}"
