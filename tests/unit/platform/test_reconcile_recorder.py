"""What the simulator sent is kept on disk, and counted once however often it came."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from hanse.domain.demo import Timed
from hanse.runtime import reconcile
from inventory.commands import CommitReservation

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def sent(number: int) -> Timed:
    command = CommitReservation(stock_id="s/p", reservation_id=f"o{number}", committed_at=NOW)
    return Timed(NOW, (), command, f"test/{number}")


def counted(recorder: reconcile.Recorder) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA input")
        recorder.attach(con)
        return con.execute(
            "SELECT domain, kind, accepted, body->>'reservation_id' FROM input.commands ORDER BY 4"
        ).fetchall()


@pytest.mark.parametrize("spool", [1, 2, 100])
def test_commands_are_counted_once_wherever_they_lie(spool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "SPOOL", spool)
    with reconcile.Recorder() as recorder:
        for number in (1, 2, 3, 2, 1):
            recorder.add("inventory", sent(number), accepted=number != 3)
        row = ("inventory", "CommitReservation")
        assert counted(recorder) == [(*row, True, "o1"), (*row, True, "o2"), (*row, False, "o3")]


def test_nothing_sent_is_no_command() -> None:
    with reconcile.Recorder() as recorder:
        assert counted(recorder) == []
