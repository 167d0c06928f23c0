"""Personal data: masked in public, clear in a restricted table, erased everywhere, whatever dies when."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from hanse.bootstrap import Mesh
from hanse.cli.product import app
from hanse.descriptors import load_mesh
from hanse.errors import ConfigError
from hanse.ports.event_log import Record, TopicSpec
from hanse.publish.reader import Reader
from hanse.runtime import run_product
from hanse.runtime.erase import affected, erase_subject, erasures
from helpers.shop_mesh import rows_of, settings_of, write_mesh, write_product

PEOPLE = {
    "type": "record",
    "name": "Person",
    "fields": [
        {"name": "person_id", "type": "string"},
        {"name": "email", "type": ["null", "string"], "hanse.personal": "person_id", "default": None},
        {"name": "born", "type": ["null", "string"], "default": None},
    ],
}
EMAIL: Any = {
    "name": "email",
    "logicalType": "string",
    "physicalType": "STRING",
    "classification": "personal",
    "customProperties": [{"property": "subject", "value": "person_id"}],
}
BORN: Any = {
    "name": "born",
    "logicalType": "string",
    "physicalType": "STRING",
    "classification": "personal",
    "customProperties": [
        {"property": "mask", "value": "null"},
        {"property": "subject", "value": "person_id"},
    ],
}
KEYED = ("person_id STRING KEY", EMAIL, BORN)
LISTED = ("person_id STRING", EMAIL, BORN)
SQL = "SELECT person_id, email, born FROM {}"
SLOWLY = ("forgotten", "sealed", "written-again")
MAILS = {"p0": "ada@example.org", "p1": "ben@example.org", "p2": "ada@example.org"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_mesh(tmp_path / "mesh", [])
    domain = made / "domains/shop"
    (domain / "events/person.avsc").write_text(json.dumps(PEOPLE), encoding="utf-8")
    topics = {
        "people": {"schema": "events/person.avsc", "key": ["person_id"], "kind": "state", "partitions": 2},
        "signed": {"schema": "events/person.avsc", "key": ["person_id"], "partitions": 2},
    }
    text = {"domain": "shop", "team": {"name": "Shop"}, "topics": topics}
    (domain / "domain.yaml").write_text(json.dumps(text), encoding="utf-8")
    write_product(made, "shop.directory", "shop.people", KEYED, SQL.format("people"))
    write_product(made, "shop.journal", "shop.signed", LISTED, SQL.format("signed"))
    write_product(
        made,
        "reporting.mails",
        "shop.directory",
        ("email STRING KEY", "people BIGINT"),
        "SELECT email, COUNT(*) AS people FROM shop.directory WHERE email IS NOT NULL GROUP BY email",
    )
    return made


@pytest.fixture
def mesh(root: Path) -> Iterator[Mesh]:
    with Mesh(settings_of(root)) as made:
        for topic, cleanup in (("people", "compact"), ("signed", "delete")):
            made.registry.register(f"shop.{topic}-value", json.dumps(PEOPLE))
            made.log.create_topic(TopicSpec(f"shop.{topic}", 2, cleanup))  # type: ignore[arg-type]
            sign(made, topic, MAILS)
        run_all(made)
        yield made


def sign(mesh: Mesh, topic: str, mails: dict[str, str]) -> None:
    import io

    import fastavro

    from hanse.wire.frame import frame

    schema_id = mesh.registry.register(f"shop.{topic}-value", json.dumps(PEOPLE)).id
    schema = fastavro.parse_schema(json.loads(json.dumps(PEOPLE)))
    for person, mail in mails.items():
        out = io.BytesIO()
        sealed = mesh.keys.encrypt(person, mail)
        fastavro.schemaless_writer(out, schema, {"person_id": person, "email": sealed, "born": None})
        mesh.log.produce(f"shop.{topic}", [Record(frame(schema_id, out.getvalue()), person.encode())])


def run_all(mesh: Mesh) -> None:
    for name in ("shop.directory", "shop.journal", "reporting.mails"):
        run_product(mesh, name)


def restricted(root: Path, name: str) -> list[tuple[Any, ...]]:
    return rows_of(root, f"{name}$restricted")


def traces(root: Path, word: str) -> list[str]:
    """Files under the data folder that hold the word, as bytes or in a column of a Parquet file."""
    found: list[str] = []
    for path in sorted(p for p in (root / ".hanse").rglob("*") if p.is_file()):
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text += repr(pq.read_table(path).to_pydict()).encode()
        if word.encode() in text:
            found.append(str(path.relative_to(root)))
    return found


def test_readers_see_hashes_that_are_equal_for_equal_values_and_nulls(root: Path, mesh: Mesh) -> None:
    for name in ("shop.directory", "shop.journal"):
        rows = {person: (mail, born) for person, mail, born in rows_of(root, name)}
        assert set(rows) == set(MAILS)
        assert rows["p0"] == rows["p2"] != rows["p1"]
        assert len(rows["p0"][0]) == 32
        assert rows["p0"][1] is None
        assert {person: mail for person, mail, _ in restricted(root, name)} == MAILS
    assert sorted(count for _, count in rows_of(root, "reporting.mails")) == [1, 2]
    assert Reader(mesh.settings).products() == ["reporting.mails", "shop.directory", "shop.journal"]
    where = Path(mesh.settings.lakehouse_path, "warehouse/shop/directory$restricted")
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    assert stat.S_IMODE(mesh.settings.mask_path.stat().st_mode) == 0o600
    assert {p for p in traces(root, "ada@example.org") if "$restricted" not in p} == set()


def test_the_owner_of_the_mesh_reads_the_restricted_table(
    root: Path, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    shown = CliRunner().invoke(app, ["at", "shop.journal", "--restricted", "--json"])
    assert {row["email"] for row in json.loads(shown.output)} == set(MAILS.values())
    none = CliRunner().invoke(app, ["at", "reporting.mails", "--restricted"])
    assert "nothing of it is masked" in str(none.exception)


def test_changes_reach_both_tables(root: Path, mesh: Mesh) -> None:
    sign(mesh, "people", {"p1": "new@example.org"})
    mesh.log.produce("shop.people", [Record(None, b"p2")])
    run_all(mesh)
    assert [(p, m) for p, m, _ in restricted(root, "shop.directory")] == [
        ("p0", "ada@example.org"),
        ("p1", "new@example.org"),
    ]
    assert len(rows_of(root, "shop.directory")) == 2


def test_an_erased_person_leaves_no_trace_on_the_disk(root: Path, mesh: Mesh) -> None:
    sign(mesh, "people", {"p0": "older@example.org"})
    run_all(mesh)
    sign(mesh, "people", {"p0": "ada@example.org"})
    run_all(mesh)
    word, mine = "ben@example.org", "older@example.org"
    assert traces(root, word)
    assert traces(root, mine)
    hashes = {mail for person, mail, _ in rows_of(root, "shop.directory") if person == "p1"}
    assert [p.full_name for p in affected(mesh.model)][-1] == "reporting.mails"
    orphan = mesh.settings.lakehouse_path / "warehouse/shop/directory$restricted/data/left-by-a-crash.parquet"
    orphan.write_bytes(word.encode())
    done = erase_subject(mesh, "p1", "asked for it")
    assert erase_subject(mesh, "p1") == done
    erase_subject(mesh, "p0")
    assert traces(root, word) == traces(root, mine) == traces(root, hashes.pop()) == []
    assert {p: m for p, m, _ in restricted(root, "shop.directory")} == {
        **dict.fromkeys(MAILS),
        "p2": MAILS["p2"],
    }
    assert sum(mail is not None for _, mail, _ in rows_of(root, "shop.journal")) == 1
    assert [count for _, count in rows_of(root, "reporting.mails")] == [1]
    assert [(e.subject, e.reason, bool(e.done_at)) for e in erasures(mesh)] == [
        ("p1", "asked for it", True),
        ("p0", "", True),
    ]
    mesh.log.produce("shop.people", [Record(None, b"p2")])
    run_all(mesh)
    assert rows_of(root, "reporting.mails") == []


@pytest.mark.parametrize(
    "place", [*(pytest.param(p, marks=pytest.mark.slow) for p in SLOWLY), "main-moved", "purged"]
)
def test_an_erasure_that_was_killed_goes_on(root: Path, mesh: Mesh, place: str) -> None:
    mesh.close()
    command = [sys.executable, "-m", "hanse", "subject", "erase", "p1"]
    killed = subprocess.run(
        command, cwd=root, env=os.environ | {"HANSE_FAILPOINT": place}, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with Mesh(settings_of(root)) as again:
        assert [e.done_at for e in erasures(again)] == [None]
        erase_subject(again, "p1")
    assert traces(root, "ben@example.org") == []
    assert ("p1", None, None) in restricted(root, "shop.journal")


def test_a_key_column_is_not_masked_and_a_subject_is_a_column(root: Path) -> None:
    key = EMAIL | {"primaryKey": True, "primaryKeyPosition": 1}
    write_product(root, "shop.directory", "shop.people", (key, "person_id STRING"), SQL.format("people"))
    with pytest.raises(ConfigError, match="primary key cannot be masked"):
        load_mesh(root)
    lost = EMAIL | {"customProperties": [{"property": "subject", "value": "nobody"}]}
    write_product(root, "shop.directory", "shop.people", ("person_id STRING KEY", lost), SQL.format("people"))
    with pytest.raises(ConfigError, match="no column of the contract"):
        load_mesh(root)
    dated = {
        "name": "born",
        "logicalType": "date",
        "physicalType": "DATE",
        "customProperties": [{"property": "mask", "value": "hash"}],
    }
    write_product(
        root, "shop.directory", "shop.people", ("person_id STRING KEY", dated), SQL.format("people")
    )
    with pytest.raises(ConfigError, match="cannot be masked like that"):
        load_mesh(root)
