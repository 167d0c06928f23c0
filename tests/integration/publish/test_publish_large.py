"""Large keyed products: position deletes, compaction and merging give what a plain table gives."""

import random
from pathlib import Path

import pytest

from hanse.publish import positions, snapshots
from hanse.publish.plan import split
from publishing import Bench, bench


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "LARGE", 30)
    monkeypatch.setattr(positions, "MAX_DELETE_FILES", 3)
    chance = random.Random(seed)
    modes: set[str] = set()
    with bench(tmp_path) as made:
        made.feed([(f"k{n:03}", n) for n in range(60)])
        made.publish()
        for step in range(10):
            keys = [f"k{chance.randrange(90):03}" for _ in range(chance.randrange(1, 9))]
            batch = [(k, None if chance.random() < 0.3 else chance.randrange(1000)) for k in keys]
            made.feed(batch)
            if step % 3 == 0:
                made.feed([(k, 5) for k, _ in batch[:1]])
            made.publish()
            assert made.rows() == made.wanted()
            table = made.publisher.table()
            data, deletes = split(snapshots.entries(table.io, table.metadata.current_snapshot()))
            modes.add("deletes" if deletes else "clean")
            assert len(deletes) <= 4
            head = made.reader.head("d.p")
            assert head is not None
            assert head.rows == len(made.wanted())
            assert max_share(made) <= 0.21
            assert len(data) <= 12
        assert "deletes" in modes
        arrow = made.publisher.table().scan().to_arrow()
        assert sorted(zip(arrow["k"].to_pylist(), arrow["n"].to_pylist(), strict=True)) == made.wanted()
        assert made.con.execute("SELECT count(*) FROM hanse.publish_position").fetchone() == (
            len(made.wanted()),
        )


def max_share(made: Bench) -> float:
    """The largest share of deleted rows in a file, as the state keeps it."""
    gone = "SELECT count(*) FROM hanse.publish_gone g WHERE g.file_id = f.file_id"
    row = made.con.execute(f"SELECT coalesce(max(({gone}) / rows), 0) FROM hanse.publish_file f").fetchone()
    assert row is not None
    return float(row[0])
