"""Many writers on the same aggregates: no command is lost, none is doubled, on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from hanse.bootstrap import Mesh
from hanse.domain import ApplicationService, Rejected
from hanse.settings import load_settings
from helpers.box_world import AGGREGATES, BOXES, ROOM, WRITERS, Box, requests, write


@pytest.mark.parametrize("store", ["sqlite:", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_thousand_commands_of_four_processes_lose_and_double_none(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    address = store if store == "sqlite:" else request.getfixturevalue("postgres_address")
    (tmp_path / "hanse.toml").write_text("")
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(str(tmp_path), address, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    with Mesh(load_settings(tmp_path, {"HANSE_STORE": address})) as mesh:
        store_ = mesh.store("boxes")
        service = ApplicationService(BOXES, store_, mesh.keys)
        verdicts = service.handle_many([r for n in range(WRITERS) for r in requests(n)])
        rejected = [v for v in verdicts if isinstance(v, Rejected)]
        assert len(rejected) == AGGREGATES
        assert {v.rule for v in rejected} == {"box-full"}
        assert store_.head() >= AGGREGATES * ROOM
        for number in range(AGGREGATES):
            events = list(store_.stream(Box.stream_id(f"box-{number}")))
            assert [e.version for e in events] == list(range(1, ROOM + 1))
            box = service.load(Box, f"box-{number}")
            assert isinstance(box, Box)
            assert len(set(box.things)) == ROOM
        if hasattr(store_, "drop_schema"):
            store_.drop_schema()
