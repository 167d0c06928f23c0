"""A product with a hand-made sink, for tests of publication: no engine, no log."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb

from hanse.descriptors import load_mesh
from hanse.model.mesh import Product
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.lease import Lease
from hanse.publish.publisher import Publication, Publisher
from hanse.publish.reader import Reader
from hanse.publish.state import Context, SinkState, transaction
from hanse.settings import Settings

PRELOAD = [
    "duckdb",
    "hanse.descriptors",
    "hanse.publish.publisher",
    "hanse.quality",
    "jsonschema",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
]
KEYED = """\
      - {name: k, logicalType: string, physicalType: STRING, primaryKey: true, primaryKeyPosition: 1}
      - {name: n, logicalType: integer, physicalType: BIGINT%s}
"""
APPEND = """\
      - {name: k, logicalType: string, physicalType: STRING, required: true}
      - {name: n, logicalType: integer, physicalType: BIGINT%s}
"""
PRODUCT = """\
apiVersion: v1.1.0
kind: DataProduct
id: d.p
name: p
version: 1.0.0
status: active
inputPorts: [{name: d.t}]
outputPorts: [{name: p, version: 1.0.0, contractId: d.p}]
team: {name: D}
"""
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: d.p
version: %s
status: active
team: {name: D}
schema:
  - name: p
    quality:
      - {name: few, metric: rowCount, mustBeLessThan: 1000000000}
    properties:
%s
"""
NOT_NEGATIVE = (
    ", quality: [{name: not_negative, type: sql, mustBe: 0,"
    ' query: "SELECT count(*) FROM ${table} WHERE n < 0"}]'
)
SET_ASIDE = (
    ", logicalTypeOptions: {minimum: 0}, quality: [{name: not_negative, metric: invalidValues, mustBe: 0,"
    " customProperties: [{property: setAside, value: true}]}]"
)


def make_product(
    root: Path, *, append: bool = False, rule: str = NOT_NEGATIVE, version: str = "1.0.0", more: str = ""
) -> Product:
    """Write descriptors of product `d.p` with columns k and n, and read them."""
    files = {
        "domains/d/domain.yaml": "domain: d\nteam: {name: D}\ntopics: {t: {schema: t.avsc, key: [k]}}\n",
        "domains/d/t.avsc": "{}",
        "domains/d/products/p/product.yaml": PRODUCT,
        "domains/d/products/p/contract.yaml": CONTRACT
        % (version, (APPEND if append else KEYED) % rule + more),
        "domains/d/products/p/projection.sql": "SELECT k, n FROM t\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    product = load_mesh(root).product("d.p")
    assert product is not None
    return product


class Bench:
    """One product's state, publisher and reader, as one process owns them."""

    def __init__(
        self, root: Path, product: Product, *, append: bool = False, take_over: bool = False
    ) -> None:
        self.root = root
        self.product = product
        self.settings = Settings(root=root, data=root / ".hanse")
        self.append = append
        path = self.settings.state_path("d.p")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lakehouse = Lakehouse(self.settings.lakehouse_path)
        self.lease = Lease.acquire(self.lakehouse.leases, "d.p", take_over=take_over)
        self.con = duckdb.connect(str(path))
        self.con.execute("CREATE SCHEMA IF NOT EXISTS engine")
        columns = "k VARCHAR, n BIGINT" + (
            ", x VARCHAR" if any(c.name == "x" for c in product.contract.columns) else ""
        )
        self.con.execute(f"CREATE TABLE IF NOT EXISTS engine.changes (_op TINYINT, _seq BIGINT, {columns})")
        self.con.execute(f"CREATE TABLE IF NOT EXISTS engine.output ({columns})")
        self.con.execute("CREATE TABLE IF NOT EXISTS engine.fed (batch BIGINT)")
        self.columns = tuple((c.split()[0], c.split()[1]) for c in columns.split(", "))
        self.publisher = Publisher(self.lakehouse, product, self.lease)
        self.reader = Reader(self.settings)

    @classmethod
    def reading(cls, root: Path) -> Bench:
        """Only the reader: owns nothing."""
        made = cls.__new__(cls)
        made.settings = Settings(root=root, data=root / ".hanse")
        made.reader = Reader(made.settings)
        return made

    @property
    def sink(self) -> SinkState:
        return SinkState(
            "engine.changes",
            None if self.append else "engine.output",
            self.columns,
            () if self.append else ("k",),
            self.append,
        )

    def feed(self, rows: Sequence[tuple[str, int | None]], *, batch: int | None = None) -> None:
        """One micro-batch: upserts; n None deletes the key. A batch fed before is not fed again."""
        con = self.con
        with transaction(con):
            if batch is not None:
                if con.execute("SELECT count(*) FROM engine.fed WHERE batch = ?", [batch]).fetchone() != (0,):
                    return
                con.execute("INSERT INTO engine.fed VALUES (?)", [batch])
            top = con.execute("SELECT coalesce(max(_seq), 0) FROM engine.changes").fetchone()
            delta = "SELECT coalesce(max(seq), 0) * 1000000 FROM hanse.publish_done"
            known = con.execute(
                "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'publish_done'"
            ).fetchone()
            floor = con.execute(delta).fetchone() if known != (0,) else (0,)
            assert top and floor
            seq = max(top[0], floor[0])
            for number, (key, value) in enumerate(rows, seq + 1):
                con.execute(
                    "INSERT INTO engine.changes (_op, _seq, k, n) VALUES (?, ?, ?, ?)",
                    [-1 if value is None else 1, number, key, value],
                )
                if not self.append:
                    con.execute("DELETE FROM engine.output WHERE k = ?", [key])
                    if value is not None:
                        con.execute("INSERT INTO engine.output (k, n) VALUES (?, ?)", [key, value])

    def publish(self, **kwargs: Any) -> Publication | None:
        return self.publisher.publish(self.con, self.sink, {"d.t": {"0": 7}}, Context("test"), **kwargs)

    def rows(self, as_of: Any = None, name: str = "d.p") -> list[tuple[Any, ...]]:
        """What readers see, sorted; read by a connection of its own."""
        scan = self.reader.scan(name, as_of)
        with duckdb.connect() as con:
            return sorted(con.execute(scan.sql).fetchall())

    def wanted(self) -> list[tuple[Any, ...]]:
        return sorted(self.con.execute("SELECT * FROM engine.output").fetchall())

    def close(self) -> None:
        self.con.close()
        self.lakehouse.close()
        self.lease.release()


@contextmanager
def bench(root: Path, product: Product | None = None, **kwargs: Any) -> Iterator[Bench]:
    """A bench that is closed afterwards."""
    made = Bench(root, product or make_product(root, append=kwargs.get("append", False)), **kwargs)
    try:
        yield made
    finally:
        made.close()


def work(
    root: str,
    place: str,
    stop: bool,
    rows: list[tuple[str, int | None]],
    large: int,
    append: bool,
    release: int | None,
) -> None:
    """In a process of its own: feed batch 1 and publish, or release; killed, or stopped, at `place`."""
    from hanse.errors import StaleWriter
    from hanse.publish import failpoints, positions

    positions.LARGE = large
    if stop:
        failpoints.hook = lambda reached: os.kill(os.getpid(), signal.SIGSTOP) if reached == place else None
    else:
        os.environ["HANSE_FAILPOINT"] = place
    product = load_mesh(Path(root)).product("d.p")
    assert product is not None
    with bench(Path(root), product, append=append) as made:
        made.feed(rows, batch=1)
        try:
            if release is not None:
                made.publisher.release(made.con, made.sink, release, "agreed")
            else:
                made.publish()
        except StaleWriter:
            os._exit(3)


def start(root: Path, place: str, rows: list[tuple[str, int | None]], **kwargs: Any) -> BaseProcess:
    """Start `work`; imports happen once, in the fork server."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    arguments = {"stop": False, "large": 200_000, "append": False, "release": None} | kwargs
    process = context.Process(target=work, args=(str(root), place), kwargs={"rows": rows, **arguments})
    process.start()
    return process


KEYS = [f"k{n}" for n in range(8)]


def publish_many(root: str, times: int) -> None:
    """In a process of its own: publish all KEYS with one number after the other."""
    with bench(Path(root)) as made:
        for n in range(times):
            made.feed([(k, n) for k in KEYS])
            made.publish()
