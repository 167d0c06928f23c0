"""Repeats of a relay are dropped by position, per source and partition."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from hanse.ports.event_log import RECORDS
from hanse.projection.dedup import fresh, marked
from hanse.wire.headers import header


def rows(records: list[tuple[int, dict[str, bytes] | None]]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in RECORDS.names}
    for i, (partition, headers) in enumerate(records):
        entries = None if headers is None else [{"name": n, "value": v} for n, v in headers.items()]
        values = (partition, i, 0, None, b"", entries)
        for name, value in zip(RECORDS.names, values, strict=True):
            columns[name].append(value)
    return pa.table(columns, schema=RECORDS)


def mark(source: str, position: int | str) -> dict[str, bytes]:
    return {"ce_id": b"1", "ce_source": source.encode(), "ce_position": str(position).encode(), "z": b""}


def test_only_rising_positions_are_fresh() -> None:
    batch = rows(
        [(0, mark("a", 1)), (0, mark("a", 3)), (0, mark("a", 2)), (1, mark("a", 2)), (0, mark("b", 1)),
         (0, None), (0, {"other": b"1"}), (0, mark("a", "no number")), (0, mark("a", 3)), (0, mark("a", 4))]
    )  # fmt: skip
    marks = marked(batch)
    keep = fresh(marks, batch.num_rows, {("a", 1): 2})
    assert keep.tolist() == [True, True, False, False, True, True, True, True, False, True]
    assert marks.highest(keep) == {("a", 0): 4, ("b", 0): 1}


def test_sliced_batches_and_batches_without_headers() -> None:
    batch = pa.concat_tables(
        [rows([(0, mark("a", i)) for i in range(4)]), rows([(0, None), (0, mark("b", 9))])]
    )
    owner, values = header(batch.slice(2, 4), "ce_position")
    assert owner.tolist() == [0, 1, 3]
    assert values.to_pylist() == [b"2", b"3", b"9"]
    assert fresh(marked(rows([(0, None)])), 1, {}).tolist() == [True]
    assert fresh(marked(rows([])), 0, {}).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_any_split_into_batches_keeps_what_one_pass_keeps(seed: int) -> None:
    r = random.Random(seed)
    records = [
        (r.randint(0, 1), mark(r.choice("ab"), r.randint(0, 30)) if r.random() < 0.9 else None)
        for _ in range(80)
    ]
    highest: dict[tuple[str, int], int] = {}
    expected = []
    for partition, headers in records:
        if headers is None:
            expected.append(True)
            continue
        name, position = (headers["ce_source"].decode(), partition), int(headers["ce_position"])
        expected.append(position > highest.get(name, -1))
        highest[name] = max(position, highest.get(name, -1))
    got: list[bool] = []
    state: dict[tuple[str, int], int] = {}
    start = 0
    while start < len(records):
        size = r.randint(1, 20)
        batch = rows(records[start : start + size])
        marks = marked(batch)
        keep = fresh(marks, batch.num_rows, state)
        state.update(marks.highest(keep))
        got += keep.tolist()
        start += size
    assert got == expected
    assert state == highest
