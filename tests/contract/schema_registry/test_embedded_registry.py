"""The embedded registry under the port's contract, and what only several processes can show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from contract.schema_registry.registry_contract import SchemaRegistryContract, record
from hanse.adapters.registries import open_registry, place_to_serve
from hanse.errors import ConfigError, SchemaError
from hanse.registry.embedded import EmbeddedRegistry
from hanse.settings import Settings
from helpers.postgres_server import own_database

_REGISTER = """
import json, sys
from hanse.registry.embedded import EmbeddedRegistry
registry = EmbeddedRegistry(sys.argv[1])
found = []
for i in range(int(sys.argv[3])):
    added = {"name": f"{sys.argv[2]}{i}", "type": "string", "default": ""}
    fields = [{"name": "id", "type": "string"}, added]
    own = json.dumps({"type": "record", "name": "Own", "fields": fields})
    shared = json.dumps({"type": "record", "name": f"Shared{i}", "fields": fields[:1]})
    found.append(["own", registry.register(f"{sys.argv[2]}-value", own).id])
    found.append([f"shared{i}", registry.register(f"shared{i}-value", shared).id])
    found.append(["one", registry.register("one-value", own).version])
print(json.dumps(found))
"""


class TestEmbeddedRegistry(SchemaRegistryContract):
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Iterator[EmbeddedRegistry]:
        made = EmbeddedRegistry(tmp_path / "deep" / "registry.db")
        yield made
        made.close()

    def test_survives_reopening(self, tmp_path: Path) -> None:
        first = EmbeddedRegistry(tmp_path / "r.db")
        before = first.register("a-value", record(("id", "string")))
        first.close()
        with pytest.raises(SchemaError, match="closed"):
            first.latest("a-value")
        again = EmbeddedRegistry(tmp_path / "r.db")
        assert again.latest("a-value") == before
        assert again.by_id(before.id) == before
        again.close()

    def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "r.db").write_text("this is no database " * 100)
        with pytest.raises(SchemaError, match="cannot be opened"):
            EmbeddedRegistry(tmp_path / "r.db")


class TestRegistryInPostgreSQL(SchemaRegistryContract):
    @pytest.fixture
    def registry(self, postgres_address: str) -> Iterator[EmbeddedRegistry]:
        for address in own_database(postgres_address):
            made = EmbeddedRegistry(address)
            yield made
            made.close()

    def test_survives_reopening_and_a_lost_connection(self, postgres_address: str) -> None:
        for address in own_database(postgres_address):
            first = EmbeddedRegistry(address)
            before = first.register("a-value", record(("id", "string")))
            with psycopg.connect(postgres_address, autocommit=True) as con:
                con.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [address.rpartition("/")[2]],
                )
            with pytest.raises(SchemaError, match="could not be read"):
                first.latest("a-value")
            assert first.latest("a-value") == before
            first.close()
            with pytest.raises(SchemaError, match="closed"):
                first.latest("a-value")
            again = EmbeddedRegistry(address)
            assert again.by_id(before.id) == before
            again.close()

    def test_a_server_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(SchemaError, match="cannot be opened"):
            EmbeddedRegistry("postgresql://hanse:secret@127.0.0.1:9/x")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "r.db")
    else:
        yield from own_database(request.getfixturevalue("postgres_address"))


def test_ids_stay_unique_and_equal_between_processes(place: str) -> None:
    import json

    EmbeddedRegistry(place).close()
    rounds = 6
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _REGISTER, place, name, str(rounds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b", "c", "d")
    ]
    answers = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    shared = [{key: value for key, value in answer if key.startswith("shared")} for answer in answers]
    assert all(one == shared[0] for one in shared)
    versions = sorted(value for answer in answers for key, value in answer if key == "one")
    assert versions == list(range(1, 4 * rounds + 1))
    registry = EmbeddedRegistry(place)
    by_id: dict[int, str] = {}
    for subject in registry.subjects():
        for version in registry.versions(subject):
            assert by_id.setdefault(version.id, version.schema) == version.schema
    assert len(set(by_id.values())) == len(by_id)
    registry.close()


def test_open_registry_chooses_by_address(tmp_path: Path) -> None:
    embedded = open_registry(Settings(root=tmp_path, data=tmp_path / ".hanse"))
    assert isinstance(embedded, EmbeddedRegistry)
    embedded.close()
    with pytest.raises(SchemaError, match="cannot be opened"):
        open_registry(Settings(root=tmp_path, data=tmp_path, registry="postgresql://127.0.0.1:9/x"))
    remote = open_registry(Settings(root=tmp_path, data=tmp_path, registry="http://127.0.0.1:9"))
    with pytest.raises(SchemaError, match="does not answer"):
        remote.subjects()
    remote.close()
    with pytest.raises(ConfigError, match="address"):
        open_registry(Settings(root=tmp_path, data=tmp_path, registry="ftp://x"))


def test_a_mesh_serves_its_own_registry_and_no_other(tmp_path: Path) -> None:
    own = Settings(root=tmp_path, data=tmp_path / ".hanse")
    assert place_to_serve(own) == tmp_path / ".hanse" / "registry.db"
    address = "postgresql://hanse@127.0.0.1/mesh"
    assert place_to_serve(Settings(root=tmp_path, data=tmp_path, registry=address)) == address
    with pytest.raises(ConfigError, match="served already"):
        place_to_serve(Settings(root=tmp_path, data=tmp_path, registry="http://registry:8081"))


def test_a_damaged_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    registry = EmbeddedRegistry(tmp_path / "r.db")
    registry.register("a-value", record(("id", "string")))
    registry.close()
    data = bytearray((tmp_path / "r.db").read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (tmp_path / "r.db").write_bytes(bytes(data))
    with pytest.raises(SchemaError, match="schema registry"):
        EmbeddedRegistry(tmp_path / "r.db").versions("a-value")


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    registry = EmbeddedRegistry(tmp_path / "r.db")
    first = registry.register("a-value", record(("id", "string")))
    pages = registry.store.database.connection().execute("PRAGMA page_count").fetchone()[0]
    registry.store.database.connection().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SchemaError, match="could not be written"):
        for i in range(200):
            registry.register(f"b{i}-value", record(("id", "string"), (f"f{i}" * 200, "string")))
    assert registry.latest("a-value") == first
    registry.close()
