"""`hanse log`, as its user meets it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fastavro
import pytest
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.log import app
from hanse.errors import UnknownTopic
from hanse.ports.event_log import Record, TopicSpec

SCHEMA = {
    "type": "record",
    "name": "OrderPlaced",
    "fields": [
        {"name": "order_id", "type": "string"},
        {"name": "email", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}},
    ],
}


@pytest.fixture
def mesh_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hanse.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def lines(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json").splitlines()]


def test_topics_are_listed(mesh_root: Path) -> None:
    assert "no topics yet" in run("topics")
    with Mesh.open(mesh_root) as mesh:
        mesh.log.create_topic(TopicSpec("orders.order_placed", 2, retention_ms=3 * 86_400_000))
        mesh.log.produce("orders.order_placed", [Record(b"x", partition=1)] * 3)
    assert "orders.order_placed" in run("topics")
    assert "3 days" in run("topics")
    (topic,) = json.loads(run("topics", "--json"))
    assert topic["name"] == "orders.order_placed"
    assert topic["partitions"] == [
        {"partition": 0, "low": 0, "high": 0},
        {"partition": 1, "low": 0, "high": 3},
    ]


def test_tail_shows_the_newest_records(mesh_root: Path) -> None:
    with Mesh.open(mesh_root) as mesh:
        mesh.log.create_topic(TopicSpec("a.t", 3))
        for n in range(30):
            mesh.log.produce("a.t", [Record(b"%d" % n, b"%d" % n, timestamp_ms=1_000 + n)])
    assert [r["value"] for r in lines("tail", "a.t", "-n", "4")] == [26, 27, 28, 29]
    assert lines("tail", "a.t", "-n", "0") == []
    assert sorted(r["value"] for r in lines("tail", "a.t", "--from", "beginning")) == list(range(30))
    with Mesh.open(mesh_root) as mesh:
        mesh.log.produce("a.t", [Record(b"\x1b[2Jgone", timestamp_ms=2_000)])
    assert "\\x1b[2Jgone" in run("tail", "a.t", "-n", "1"), "no record controls the terminal"
    with Mesh.open(mesh_root) as mesh:
        mesh.log.produce("a.t", [Record(b"29", b"29", timestamp_ms=1_029_000)])
    assert "1970-01-01 00:17:09.000Z  29  29" in run("tail", "a.t", "-n", "1")


def test_tail_decodes_by_the_schema_and_hides_personal_ciphertext(mesh_root: Path) -> None:
    with Mesh.open(mesh_root) as mesh:
        schema_id = mesh.registry.register("a.t-value", json.dumps(SCHEMA)).id
        buffer = io.BytesIO()
        from decimal import Decimal

        datum = {"order_id": "o1", "email": "enc:v1:abcdef", "total": Decimal("12.50")}
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(SCHEMA), datum)
        good = b"\x00" + schema_id.to_bytes(4, "big") + buffer.getvalue()
        mesh.log.create_topic(TopicSpec("a.t", 1))
        mesh.log.produce(
            "a.t",
            [
                Record(good, b"o1", (("ce_type", b"OrderPlaced"),)),
                Record(good[:-1], b"cut"),
                Record(b"\x00\x00\x00\x03\xe7abc", b"unknown schema"),
                Record(None, b"gone"),
                Record(b"\xff\xfe", b"\xff"),
                Record(b"plain", None),
            ],
        )
    shown = lines("tail", "a.t")
    assert shown[0]["value"] == {"order_id": "o1", "email": "(personal, encrypted)", "total": "12.50"}
    assert shown[0]["headers"] == {"ce_type": "OrderPlaced"}
    assert f"schema {schema_id}" in shown[1]["note"]
    assert "999" in shown[2]["note"]
    assert (shown[3]["value"], shown[3]["note"]) == (None, "tombstone")
    assert (shown[4]["key"], shown[4]["value"]) == ("0xff", "fffe")
    assert (shown[5]["key"], shown[5]["value"]) == (None, "plain")
    assert "ce_type=OrderPlaced" in run("tail", "a.t")


def test_an_unknown_topic_is_an_error(mesh_root: Path) -> None:
    with pytest.raises(UnknownTopic, match="nowhere"):
        run("tail", "nowhere")


def test_archive_and_retain_say_what_they_did(mesh_root: Path) -> None:
    with Mesh.open(mesh_root) as mesh:
        mesh.log.create_topic(TopicSpec("a.t", 1, retention_ms=1_000))
        mesh.log.produce("a.t", [Record(b"x", timestamp_ms=5)] * 10)
    assert "a.t: 10 records archived" in run("archive")
    assert "a.t: 0 archived, 10 dropped, 0 compacted away" in run("retain")
    assert len(lines("tail", "a.t", "--from", "beginning")) == 10


def test_following_prints_what_comes(mesh_root: Path) -> None:
    with Mesh.open(mesh_root) as mesh:
        mesh.log.create_topic(TopicSpec("a.t", 1))
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a build may ignore it
            "from hanse.cli.log import app; app(['tail', 'a.t', '-f', '--json'])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=mesh_root
        )
        assert process.stdout is not None
        time.sleep(0.8)
        mesh.log.produce("a.t", [Record(b"news")])
        assert json.loads(process.stdout.readline())["value"] == "news"
        process.send_signal(2)
        process.wait(timeout=10)
        process.stdout.close()
