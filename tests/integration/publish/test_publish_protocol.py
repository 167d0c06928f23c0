"""Publications as readers and operators see them."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from hanse.descriptors import load_mesh
from hanse.errors import PublicationError, PublicationRejected
from hanse.publish import maintenance, positions, write
from hanse.publish.publisher import Rejected
from publishing import SET_ASIDE, Bench, bench, make_product


def test_nothing_published_yet(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        assert made.reader.products() == []
        with pytest.raises(PublicationError, match="nothing was ever published"):
            made.reader.scan("d.p")
        assert made.publish() is None
        scan = made.reader.scan("d.p")
        assert (scan.snapshot, scan.schema) == (None, (("k", "VARCHAR"), ("n", "BIGINT")))
        assert made.rows() == []


def test_a_publication_is_one_snapshot_with_its_origin(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.feed([("a", 1), ("b", 2)])
        first = made.publish()
        made.feed([("a", 3), ("b", None), ("c", 4)])
        second = made.publish()
        assert first is not None
        assert second is not None
        assert (second.rows, second.added, second.deleted) == (2, 2, 1)
        table = made.publisher.table()
        assert [s.snapshot_id for s in table.metadata.snapshots] == [first.snapshot_id, second.snapshot_id]
        summary = table.metadata.snapshots[-1].summary
        assert summary is not None
        assert summary["pub_id"] == second.pub_id
        assert (summary["seq"], summary["base"], summary["epoch"]) == ("2", str(first.snapshot_id), "1")
        assert (summary["contract_version"], summary["code_version"]) == ("1.0.0", "test")
        assert '"d.t"' in str(summary["offsets"])
        assert table.properties["hanse.head"].startswith(f"2/{second.pub_id}/")
        assert table.properties["commit.retry.num-retries"] == "0"
        entry = made.reader.history("d.p")[-1]
        assert (entry.seq, entry.rows, entry.state, entry.offsets) == (2, 2, "published", {"d.t": {"0": 7}})
        assert entry.verdict is not None
        assert entry.verdict.passed


def test_no_change_no_publication(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.feed([("a", 1)])
        made.publish()
        assert made.publish() is None
        assert len(made.reader.history("d.p")) == 1


def test_a_failing_check_keeps_readers_on_the_last_good_snapshot(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.feed([("a", 1)])
        made.publish()
        made.feed([("b", -2)])
        with pytest.raises(PublicationRejected) as caught:
            made.publish()
        text = str(caught.value)
        assert "not_negative" in text
        assert "expected 0, got 1" in text
        assert made.rows() == [("a", 1)]
        rejected = made.reader.rejected("d.p", 2)
        with duckdb.connect() as con:
            assert sorted(con.execute(rejected.sql).fetchall()) == [("a", 1), ("b", -2)]
        assert "rejected-2" in made.publisher.table().metadata.refs
        made.feed([("b", 2)])
        made.publish()
        assert made.rows() == [("a", 1), ("b", 2)]
        assert [(e.seq, e.state) for e in made.reader.history("d.p")] == [
            (1, "published"),
            (2, "rejected"),
            (3, "published"),
        ]


def test_a_rejected_append_is_tried_again_once_the_contract_allows_it(tmp_path: Path) -> None:
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1)])
        made.publish()
        made.feed([("b", -2)])
        with pytest.raises(PublicationRejected):
            made.publish()
        with pytest.raises(PublicationRejected):
            made.publish()
    with bench(tmp_path, make_product(tmp_path, append=True, rule=""), append=True) as made:
        made.publish()
        assert made.rows() == [("a", 1), ("b", -2)]


@pytest.mark.parametrize("append", [False, True])
def test_the_operator_releases_a_rejected_publication(tmp_path: Path, append: bool) -> None:
    with bench(tmp_path, append=append) as made:
        made.feed([("a", 1)])
        made.publish()
        made.feed([("b", -2)])
        with pytest.raises(Rejected) as caught:
            made.publish()
        made.feed([("c", 3)])
        made.publisher.release(made.con, made.sink, caught.value.seq, "agreed with the readers")
        assert made.rows() == [("a", 1), ("b", -2)]
        entry = made.reader.history("d.p")[-1]
        assert (entry.state, entry.note) == ("released", "agreed with the readers")
        with pytest.raises(Rejected):
            made.publish()
        with pytest.raises(PublicationError, match="cannot be released"):
            made.publisher.release(made.con, made.sink, caught.value.seq, "again")
        made.feed([("b", 2)])
        if not append:
            made.publish()
            assert made.rows() == [("a", 1), ("b", 2), ("c", 3)]


def test_offending_rows_are_set_aside_and_the_rest_is_published(tmp_path: Path) -> None:
    with bench(tmp_path, make_product(tmp_path, append=True, rule=SET_ASIDE), append=True) as made:
        made.feed([("a", 1), ("b", -2), ("c", 3)])
        published = made.publish()
        assert published is not None
        assert published.set_aside == {"not_negative": 1}
        assert made.rows() == [("a", 1), ("c", 3)]
        aside = made.rows(name="d.p$rejected")
        assert [row[:4] for row in aside] == [("b", -2, "not_negative", 1)]
        check = next(c for c in published.verdict.checks if c.name == "not_negative")
        assert (check.passed, check.rows_failed, check.note) == (True, 1, "1 rows set aside")
        made.feed([("d", -4)])
        made.publish()
        assert made.rows() == [("a", 1), ("c", 3)]
        assert [row[0] for row in made.rows(name="d.p$rejected")] == ["b", "d"]
        assert made.reader.products() == ["d.p"]


def test_a_rewritten_product_shows_what_is_set_aside_now(tmp_path: Path) -> None:
    with bench(tmp_path, make_product(tmp_path, rule=SET_ASIDE)) as made:
        made.feed([("a", 1), ("b", -2)])
        made.publish()
        assert made.rows() == [("a", 1)]
        made.feed([("b", 2), ("c", -3)])
        made.publish()
        assert made.rows() == [("a", 1), ("b", 2)]
        assert [row[:2] for row in made.rows(name="d.p$rejected")] == [("c", -3)]


def test_as_of_a_moment_a_number_and_a_snapshot(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        moments: list[datetime] = []
        for n in range(4):
            made.feed([("a", n)])
            published = made.publish()
            assert published is not None
            moments.append(published.committed_at)
            assert made.rows(published.snapshot_id) == [("a", n)]
        for n, moment in enumerate(moments):
            assert made.rows(n + 1) == [("a", n)]
            assert made.rows(moment) == [("a", n)]
        with pytest.raises(PublicationError, match="had nothing published then"):
            made.rows(moments[0] - timedelta(hours=1))
        assert made.rows(datetime.now(UTC)) == [("a", 3)]


def test_old_snapshots_expire_with_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "MAX_SNAPSHOTS", 6)
    monkeypatch.setattr(maintenance, "KEEP_SNAPSHOTS", 3)
    with bench(tmp_path) as made:
        for n in range(14):
            made.feed([("a", n)])
            made.publish()
            assert len(made.publisher.table().metadata.snapshots) <= 6
        assert made.rows() == [("a", 13)]
        history = made.reader.history("d.p")
        assert len(history) == 14
        kept = [e for e in history if e.kept]
        moments = [e for e in kept if e.metadata_file]
        assert moments
        assert len(kept) < 10
        for entry in kept:
            assert made.rows(entry.seq) == [("a", entry.seq - 1)]
        gone = next(e for e in history if not e.kept)
        with pytest.raises(PublicationError, match="are gone") as caught:
            made.rows(gone.seq)
        assert "the nearest kept is publication" in str(caught.value)
        assert {str(p) for p in parquet(made)} == set(made.lakehouse.verdicts.digests())
        assert len(parquet(made)) == len(kept)
        assert maintenance.scrub(made.lakehouse) == []


@pytest.mark.parametrize("shape", ["append", "large", "small"])
def test_kept_moments_stay_readable_while_files_go(
    tmp_path: Path, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are shared by snapshots; moments are thinned again as they grow old."""
    monkeypatch.setattr(maintenance, "MAX_SNAPSHOTS", 5)
    monkeypatch.setattr(maintenance, "KEEP_SNAPSHOTS", 2)
    monkeypatch.setattr(write, "MAX_SMALL_FILES", 3)
    monkeypatch.setattr(positions, "LARGE", 5 if shape == "large" else 1_000)
    width = [2]
    monkeypatch.setattr(maintenance, "bucket", lambda entry, now: str(entry.seq // width[0]))
    append = shape == "append"
    with bench(tmp_path, append=append) as made:
        made.feed([(f"k{n:02}", 0) for n in range(8)])
        seen: dict[int, list[object]] = {}
        for n in range(16):
            if n == 9:
                width[0] = 4
            made.feed([(f"k{n % 8:02}" if not append else f"n{n:02}", n)])
            if n in (4, 7):
                made.feed([("bad", -1)])
                with pytest.raises(PublicationRejected):
                    made.publish()
                made.con.execute("DELETE FROM engine.changes WHERE n < 0")
                made.con.execute("DELETE FROM engine.output WHERE n < 0")
            published = made.publish()
            assert published is not None
            seen[published.seq] = list(made.rows())
        kept = [e for e in made.reader.history("d.p") if e.kept and e.state == "published"]
        assert 4 < len(kept) < 12
        for entry in kept:
            assert made.rows(entry.seq) == seen[entry.seq]
        assert maintenance.scrub(made.lakehouse) == []
        assert {str(p) for p in parquet(made)} == set(made.lakehouse.verdicts.digests())
        if shape == "small":
            rejected = [e for e in made.reader.history("d.p") if e.state == "rejected"]
            assert len(parquet(made)) <= len(kept) + len(rejected)


def parquet(made: Bench) -> list[Path]:
    return sorted((made.settings.lakehouse_path / "warehouse").rglob("*.parquet"))


def test_scrubbing_finds_a_flipped_bit(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.feed([("a", 1)])
        made.publish()
        path = parquet(made)[0]
        content = bytearray(path.read_bytes())
        content[10] ^= 1
        path.write_bytes(content)
        assert maintenance.scrub(made.lakehouse) == [str(path)]


def test_a_newer_contract_adds_and_widens_columns(tmp_path: Path) -> None:
    old = make_product(tmp_path)
    text = old.contract.path.read_text("utf-8")
    old.contract.path.write_text(text.replace("physicalType: BIGINT", "physicalType: INT"), "utf-8")
    product = load_mesh(tmp_path).product("d.p")
    with bench(tmp_path, product) as made:
        made.feed([("a", 1)])
        made.publish()
        assert made.reader.scan("d.p").schema == (("k", "VARCHAR"), ("n", "INTEGER"))
    extra = "      - {name: x, logicalType: string, physicalType: STRING}\n"
    with bench(tmp_path, make_product(tmp_path, version="1.1.0", more=extra)) as made:
        for table in ("engine.changes", "engine.output"):
            made.con.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS x VARCHAR")
        made.feed([("b", 3_000_000_000)])
        made.publish()
        assert made.rows() == [("a", 1, None), ("b", 3_000_000_000, None)]
        assert made.rows(1) == [("a", 1)]


def test_a_contract_that_narrows_a_column_is_refused(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.feed([("a", 1)])
        made.publish()
    product = make_product(tmp_path, version="2.0.0")
    text = product.contract.path.read_text("utf-8")
    product.contract.path.write_text(text.replace("physicalType: BIGINT", "physicalType: INT"), "utf-8")
    with bench(tmp_path, load_mesh(tmp_path).product("d.p")) as made:
        with pytest.raises(PublicationError, match="cannot follow this contract in place"):
            made.publish()
        assert made.rows() == [("a", 1)]


def test_a_projection_without_a_promised_column_is_refused(tmp_path: Path) -> None:
    extra = "      - {name: y, logicalType: string, physicalType: STRING}\n"
    with bench(tmp_path, make_product(tmp_path, more=extra)) as made:
        made.feed([("a", 1)])
        with pytest.raises(PublicationError, match="does not give the columns of its contract"):
            made.publish()


def test_a_lost_state_is_not_appended_to(tmp_path: Path) -> None:
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1), ("b", 2)])
        made.publish()
    (tmp_path / ".hanse" / "state" / "d.p.duckdb").unlink()
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1), ("b", 2)])
        with pytest.raises(PublicationError, match="did not make what its readers see") as caught:
            made.publish()
        assert "rebuild" in str(caught.value)
        made.publish(rebuild=True)
        assert made.rows() == [("a", 1), ("b", 2)]
        made.feed([("c", 3)])
        made.publish()
        assert made.rows() == [("a", 1), ("b", 2), ("c", 3)]


def test_a_lost_table_is_not_filled_with_what_is_left(tmp_path: Path) -> None:
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1)])
        made.publish()
        made.lakehouse.catalog.drop_table("d.p")
    with bench(tmp_path, append=True) as made:
        made.feed([("b", 2)])
        with pytest.raises(PublicationError, match="did not make what its readers see"):
            made.publish()


def test_lost_leases_do_not_lock_a_product(tmp_path: Path) -> None:
    for n in range(3):
        with bench(tmp_path) as made:
            made.feed([("a", n)])
            made.publish()
    shutil.rmtree(tmp_path / ".hanse" / "lakehouse" / "leases")
    with bench(tmp_path) as made:
        made.feed([("a", 9)])
        made.publish()
        assert made.rows() == [("a", 9)]
        assert made.publisher.table().properties["hanse.epoch"] == "4"


def test_a_folder_with_odd_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "LARGE", 4)
    root = tmp_path / "an 'odd' [folder] # * 100%41 {x}"
    root.mkdir()
    with bench(root) as made:
        made.feed([(f"k{n}", n) for n in range(8)])
        made.publish()
        made.feed([("k1", None), ("k2", 20)])
        made.publish()
        assert made.rows() == made.wanted()
        assert made.publisher.table().scan().to_arrow().num_rows == 7


def test_a_table_without_rows(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        for batch in ([("a", 1), ("a", None)], [("a", 2)], [("a", None)], [("b", 3)]):
            made.feed(batch)
            made.publish()
            assert made.rows() == made.wanted()


def test_a_value_that_does_not_fit(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    text = product.contract.path.read_text("utf-8")
    product.contract.path.write_text(text.replace("physicalType: BIGINT", "physicalType: INT"), "utf-8")
    with bench(tmp_path, load_mesh(tmp_path).product("d.p")) as made:
        made.feed([("a", 3_000_000_000)])
        with pytest.raises(PublicationError, match="does not fit the types of its contract"):
            made.publish()


def test_a_rejected_rebuild_is_tried_again(tmp_path: Path) -> None:
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1)])
        made.publish()
    (tmp_path / ".hanse" / "state" / "d.p.duckdb").unlink()
    with bench(tmp_path, append=True) as made:
        made.feed([("a", 1), ("b", -2)])
        with pytest.raises(PublicationRejected):
            made.publish(rebuild=True)
        assert made.rows() == [("a", 1)]
    with bench(tmp_path, make_product(tmp_path, append=True, rule=""), append=True) as made:
        made.feed([("c", 3)])
        made.publish()
        assert made.rows() == [("a", 1), ("b", -2), ("c", 3)]
        made.feed([("d", 4)])
        made.publish()
        assert made.rows() == [("a", 1), ("b", -2), ("c", 3), ("d", 4)]


def test_small_files_of_an_append_product_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "MAX_SMALL_FILES", 4)
    with bench(tmp_path, append=True) as made:
        for n in range(10):
            made.feed([(f"k{n:02}", n)])
            made.publish()
            assert len(made.reader.files("d.p").data) <= 4
        assert made.rows() == [(f"k{n:02}", n) for n in range(10)]
        assert made.rows(7) == [(f"k{n:02}", n) for n in range(7)]


def test_a_table_grows_large_and_shrinks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "LARGE", 20)
    with bench(tmp_path) as made:
        made.feed([(f"k{n:02}", n) for n in range(15)])
        made.publish()
        assert not positions.known(made.con)
        made.feed([(f"k{n:02}", n) for n in range(15, 40)])
        made.publish()
        assert positions.known(made.con)
        made.feed([(f"k{n:02}", None) for n in range(5, 40)])
        made.publish()
        assert made.rows() == made.wanted()
        made.feed([("z", 1)])
        made.publish()
        assert not positions.known(made.con)
        assert made.rows() == made.wanted()
