"""Totals of products against plain DuckDB over the input that the mesh was fed.

A domain's module `totals` names them: `TOTALS` is a list of (name, SQL over the products, SQL over the
input). Over real files the input's tables are the CSV files by their names without the ending; over the
simulator it is one table `commands`, with the body of each as JSON and whether it was accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hanse.bootstrap import Mesh
from hanse.domain.discovery import load_module
from hanse.errors import UnknownTopic
from hanse.relay.commands import inbox_topic

if TYPE_CHECKING:
    import duckdb

    from hanse.domain.demo import Timed


@dataclass(frozen=True, slots=True)
class Total:
    """One total, as plain SQL over the input has it and as the products have it."""

    name: str
    expected: Any
    got: Any
    equal: bool


SPOOL = 20_000
"""Commands that a recorder keeps in memory at most."""


class Recorder:
    """Remembers simulated commands on disk, so that plain SQL can count them. To be closed."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="hanse-commands-")
        self._path = Path(self._folder.name) / "commands.duckdb"
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def add(self, domain: str, timed: Timed, *, accepted: bool) -> None:
        """Keep a command and its verdict."""
        body = json.dumps(_plain(timed.outcome), default=str)
        kind = type(timed.outcome).__name__
        self._keep(
            {
                "domain": domain,
                "kind": kind,
                "id": str(timed.command_id),
                "at": timed.at,
                "accepted": accepted,
                "body": body,
            }
        )

    def add_sent(self, mesh: Mesh) -> None:
        """Keep the commands that sagas have sent over the log, each with the verdict its domain gave."""
        for domain in mesh.model.domains:
            sent = list(_sent(mesh, domain.name))
            known = mesh.store(domain.name).verdicts([UUID(row["id"]) for row in sent]) if sent else {}
            for row in sent:
                verdict = known.get(UUID(row["id"]))
                self._keep({**row, "accepted": verdict is not None and verdict.rule is None})

    def attach(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make `input.commands` of what was kept, each command once."""
        self._spool()
        con.execute(f"ATTACH '{self._path}' AS recorded")
        con.execute(
            "CREATE OR REPLACE TABLE recorded.once AS SELECT DISTINCT ON (id) * FROM recorded.commands ORDER BY id"
        )
        con.execute("CREATE VIEW input.commands AS FROM recorded.once")

    def _keep(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= SPOOL:
            self._spool()

    def _spool(self) -> None:
        import duckdb
        import pyarrow as pa

        with duckdb.connect(str(self._path)) as con:
            con.execute(
                "CREATE TABLE IF NOT EXISTS commands (domain VARCHAR, kind VARCHAR, id VARCHAR, "
                '"at" TIMESTAMPTZ, accepted BOOLEAN, body VARCHAR)'
            )
            if self._rows:
                con.register("batch", pa.Table.from_pylist(self._rows))
                con.execute("INSERT INTO commands BY NAME FROM batch")
        self._rows.clear()


def _sent(mesh: Mesh, domain: str) -> Iterator[dict[str, Any]]:
    topic = inbox_topic(domain).name
    try:
        offsets = {partition: span.low for partition, span in mesh.log.ranges(topic).items()}
    except UnknownTopic:
        return
    while (fetched := mesh.log.read(topic, offsets)).rows.num_rows:
        for row in fetched.rows.select(["headers", "value"]).to_pylist():
            headers = {header["name"]: header["value"].decode() for header in row["headers"]}
            yield {
                "domain": domain,
                "kind": headers["ce_type"],
                "id": headers["ce_id"],
                "at": datetime.fromisoformat(headers["ce_time"]),
                "body": row["value"].decode(),
            }
        offsets = fetched.next_offsets


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def reconcile(mesh: Mesh, directory: Path | None, recorder: Recorder) -> list[Total]:
    """Every total that the domains name for this kind of input."""
    import duckdb

    from hanse.publish.reader import Reader

    with duckdb.connect() as con:
        reader = Reader(mesh.settings)
        for product in mesh.model.products:
            con.execute(f'CREATE SCHEMA IF NOT EXISTS "{product.domain}"')
            scan = reader.scan(product.full_name, None)
            con.execute(f'CREATE VIEW "{product.domain}"."{product.name}" AS {scan.sql}')
        _load_input(con, directory, recorder)
        kind = "OLIST" if directory else "SIMULATED"
        found: list[Total] = []
        for domain in mesh.model.domains:
            for name, over_products, over_input in getattr(load_module(domain, "totals"), kind, []):
                expected, got = _one(con, over_input), _one(con, over_products)
                found.append(Total(name, expected, got, expected == got))
        return found


def _load_input(con: duckdb.DuckDBPyConnection, directory: Path | None, recorder: Recorder) -> None:
    con.execute("CREATE SCHEMA input")
    if directory is not None:
        for file in sorted(directory.glob("*.csv")):
            source = str(file).replace("'", "''")
            con.execute(
                f'CREATE VIEW input."{file.stem}" AS '
                f"FROM read_csv('{source}', all_varchar = true, ignore_errors = true)"
            )
        return
    recorder.attach(con)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = con.execute(sql).fetchone()
    value = row[0] if row else None
    return value.normalize() if isinstance(value, Decimal) else value
