"""Ctrl-C ends a command with the exit code of an interrupt and without a traceback, wherever it falls."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

CODE = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from hanse import cli

def slow():
    import duckdb
    print("ready", flush=True)
    {work}

cli.COMMANDS["slow"] = ("__main__:slow", "Slow.")
sys.argv = ["hanse", "slow"]
cli.main()
"""


@pytest.mark.parametrize(
    "work",
    [
        "while True: duckdb.sql('SELECT sum(hash(range)) FROM range(20_000_000)').fetchall()",
        "time.sleep(60)",
    ],
    ids=["in one query or another", "between queries"],
)
def test_an_interrupt_is_no_failure(work: str) -> None:
    arguments = [sys.executable, "-c", CODE.format(work=work)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        assert (process.returncode, errors) == (130, "")


def test_another_runtime_error_keeps_its_traceback() -> None:
    arguments = [sys.executable, "-c", CODE.format(work="raise RuntimeError('a fault')")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RuntimeError: a fault" in done.stderr
