"""Readers in other processes while one publishes, and owners of different products side by side."""

from multiprocessing import get_context
from pathlib import Path

from publishing import KEYS, PRELOAD, Bench, bench, make_product, publish_many


def test_readers_see_whole_publications_only(tmp_path: Path) -> None:
    product = make_product(tmp_path)
    with bench(tmp_path, product) as made:
        made.feed([(k, 0) for k in KEYS])
        made.publish()
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    writer = context.Process(target=publish_many, args=(str(tmp_path), 10))
    writer.start()
    seen: set[int] = set()
    reader = Bench.reading(tmp_path)
    while writer.is_alive():
        rows = reader.rows()
        assert [k for k, _ in rows] == KEYS
        values = {n for _, n in rows}
        assert len(values) == 1
        seen |= values
    writer.join()
    assert writer.exitcode == 0
    assert len(seen) > 2
