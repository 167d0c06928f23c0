"""`hanse schema` and `hanse registry` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hanse.registry.embedded import EmbeddedRegistry

OLD = {"type": "record", "name": "Placed", "fields": [{"name": "id", "type": "string"}]}
BREAKING = {**OLD, "fields": [*OLD["fields"], {"name": "total", "type": "long"}]}
FINE = {**OLD, "fields": [*OLD["fields"], {"name": "total", "type": "long", "default": 0}]}
DOMAIN = """domain: shop
purpose: Sell things.
team: {name: Shop, email: shop@example.org}
topics:
  placed: {schema: events/placed.avsc, key: [id]}
"""


def hanse(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hanse", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HANSE_")}
    return subprocess.run(
        command,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    """A mesh of one domain with one topic, under git."""
    root = tmp_path / "mesh"
    events = root / "domains" / "shop" / "events"
    events.mkdir(parents=True)
    (root / "hanse.toml").write_text("")
    (root / "domains" / "shop" / "domain.yaml").write_text(DOMAIN)
    (events / "placed.avsc").write_text(json.dumps(OLD))
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "Begin"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True, timeout=30)
    return root


def write(mesh: Path, schema: Any) -> Path:
    path = mesh / "domains" / "shop" / "events" / "placed.avsc"
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return path


def test_verdict_reads_and_writes_lines(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "format": "AVRO", "old": json.dumps(OLD), "new": json.dumps(FINE), "mode": "FULL"},
        {
            "id": "b",
            "format": "AVRO",
            "old": json.dumps(OLD),
            "new": json.dumps(BREAKING),
            "mode": "BACKWARD",
        },
    ]
    done = hanse(tmp_path, "schema", "verdict", stdin="\n".join(map(json.dumps, lines)) + "\n{\n")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["compatible"] for a in answers] == [True, False, None]
    assert answers[1]["findings"][0]["path"] == "$.total"


def test_diff_of_files(tmp_path: Path) -> None:
    for name, schema in (("old", OLD), ("new", BREAKING)):
        (tmp_path / f"{name}.avsc").write_text(json.dumps(schema))
    done = hanse(tmp_path, "schema", "diff", "old.avsc", "new.avsc")
    assert done.returncode == 1
    assert "READER_FIELD_MISSING_DEFAULT_VALUE at $.total" in done.stdout
    done = hanse(tmp_path, "schema", "diff", "old.avsc", "new.avsc", "--mode", "forward", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"compatible": True, "findings": []}
    done = hanse(tmp_path, "schema", "diff", "old.avsc", "missing.avsc")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_check_against_the_registry(mesh: Path) -> None:
    assert "new" in hanse(mesh, "schema", "check").stdout
    registry = EmbeddedRegistry(mesh / ".hanse" / "registry.db")
    registry.register("shop.placed-value", json.dumps(OLD))
    registry.close()
    assert "unchanged" in hanse(mesh, "schema", "check").stdout
    write(mesh, FINE)
    done = hanse(mesh, "schema", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["schemas"][0]["status"]) == (0, "compatible")
    write(mesh, BREAKING)
    done = hanse(mesh, "schema", "check", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["compatible"]) == (1, False)
    (only,) = document["schemas"]
    assert (only["subject"], only["status"]) == ("shop.placed-value", "incompatible")
    assert only["findings"][0]["path"] == "$.total"
    assert hanse(mesh, "schema", "check", "--mode", "NONE").returncode == 0
    write(mesh, "{")
    done = hanse(mesh, "schema", "check")
    assert done.returncode == 1
    assert "not valid JSON" in done.stdout


def test_check_against_a_revision(mesh: Path) -> None:
    assert "unchanged" in hanse(mesh, "schema", "check", "--base", "main").stdout
    path = write(mesh, BREAKING)
    done = hanse(mesh, "schema", "check", "--base", "main")
    assert done.returncode == 1
    assert "$.total" in done.stdout
    path.rename(path.with_name("renamed.avsc"))
    domain = mesh / "domains" / "shop" / "domain.yaml"
    domain.write_text(DOMAIN.replace("placed.avsc", "renamed.avsc"))
    done = hanse(mesh, "schema", "check", "--base", "main")
    assert done.returncode == 1
    assert "SCHEMA_REMOVED" in done.stdout
    done = hanse(mesh, "schema", "check", "--base", "no-such-branch")
    assert done.returncode == 1
    assert "git does not know" in done.stderr


def test_history(mesh: Path) -> None:
    registry = EmbeddedRegistry(mesh / ".hanse" / "registry.db")
    registry.register("shop.placed-value", json.dumps(OLD))
    registry.register("shop.placed-value", json.dumps(FINE))
    registry.close()
    rows = json.loads(hanse(mesh, "schema", "history", "shop.placed", "--json").stdout)
    assert [(r["version"], r["changes"]) for r in rows] == [
        (1, ["the first version"]),
        (2, ["compatible in both directions"]),
    ]
    assert "version 2" in hanse(mesh, "schema", "history", "shop.placed-value").stdout
    done = hanse(mesh, "schema", "diff", "shop.placed@1", "shop.placed@2", "--mode", "FULL")
    assert "compatible under FULL" in done.stdout
    done = hanse(mesh, "schema", "history", "nobody")
    assert done.returncode == 1
    assert "shop.placed-value" in done.stderr


def test_registry_serve(mesh: Path) -> None:
    command = [sys.executable, "-m", "hanse", "registry", "serve", "--port", "0"]
    server = subprocess.Popen(command, cwd=mesh, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[3]
        request = urllib.request.Request(f"{address}/subjects", headers={"Accept": "*/*"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer) == []
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def test_registry_serve_with_a_port_in_use(mesh: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = hanse(mesh, "registry", "serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "the port cannot be taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_names_the_modes_that_there_are(mesh: Path) -> None:
    for options in ([], ["--base", "main"]):
        done = hanse(mesh, "schema", "check", "--mode", "backwards", *options)
        assert done.returncode == 1
        assert "unknown compatibility mode 'BACKWARDS'" in done.stderr
        assert "FULL_TRANSITIVE" in done.stderr
