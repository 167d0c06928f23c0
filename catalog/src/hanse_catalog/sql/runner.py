"""Runs one reader's query at a time, inside the worker process that `worker` has shut in.

It speaks frames on its standard input and output: `check` parses and judges a text and answers with the
tables it needs; `run` brings those tables as trusted SQL over data files and streams the result back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from hanse.errors import QueryRefused
from hanse.quoting import literal, quote

from . import formats, frames, sandbox
from .guard import Checked, check_tree
from .pivot import Pivot, find_pivot
from .text import prepare

FIRST_BYTES = 1 << 20
BATCH_ROWS = {"arrow": 65_536, "parquet": 122_880}
FEW_ROWS = 8_192
_AS_TEXT = frozenset({"UHUGEINT", "BIT", "INTERVAL", "TIME WITH TIME ZONE", "TIMETZ"})
"""Types that Arrow has not, or not with the same values: they leave as DuckDB writes them."""
_EXPLAIN = re.compile(r"\s*explain\s+(?!analyze\b)", re.IGNORECASE)


class Worker:
    """A confined DuckDB and the views it knows."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._con = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": config["memory_limit"]})
        self._views: dict[tuple[str, str], str] = {}
        self._sql = ""
        self._prefix = ""
        self._pivot: Pivot | None = None
        self._checked = Checked()

    @property
    def data(self) -> str:
        """The folder of all data files."""
        return str(self._config["data"])

    def lock(self) -> bool:
        """Warm up, then lock DuckDB's settings and the process's limits. Whether the limits took hold."""
        temp, data = self._config["temp"], self._config["data"]
        self._warm_up()
        sandbox.tighten(read=[data], write=[temp])
        held = sandbox.limit(
            memory_bytes=self._config["address_bytes"], file_bytes=self._config["file_bytes"]
        )
        settings = (
            ("threads", self._config["threads"]),
            ("temp_directory", literal(temp)),
            ("max_temp_directory_size", "'2GB'"),
            ("allowed_directories", f"[{literal(f'{data}/')}]"),
            ("enable_external_access", "false"),
            ("python_enable_replacements", "false"),
            ("autoload_known_extensions", "false"),
            ("autoinstall_known_extensions", "false"),
            ("parquet_metadata_cache", "true"),
            ("max_expression_depth", "500"),
            ("lock_configuration", "true"),
        )
        for name, value in settings:
            self._con.execute(f"SET {name} = {value}")
        return held

    def _warm_up(self) -> None:
        """Load lazily loaded code while files can still be read."""
        self._con.execute("SET GLOBAL TimeZone = 'UTC'")
        reader = self._con.sql(
            "SELECT 1::BIGINT AS a, 1::DECIMAL(9,2) AS d, TIMESTAMPTZ '2020-01-01 00:00:00+00' AS t"
        ).to_arrow_reader(16)
        schema, batches = reader.schema, list(reader)
        reader.close()
        columns = [{"name": name, "type": "x"} for name in schema.names]
        for make in formats.WRITERS.values():
            writer = make(schema, columns, {})
            writer.start()
            for batch in batches:
                writer.batch(batch)
            writer.finish(1, False)
        check_tree(self._tree("SELECT 1"))

    def _tree(self, sql: str) -> dict[str, Any]:
        rows = self._con.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        try:
            return orjson.loads(rows[0][0])
        except orjson.JSONDecodeError as error:
            raise QueryRefused("the query is too deeply nested") from error

    def check(self, message: dict[str, Any]) -> dict[str, Any]:
        """Judge a text; the answer names the tables and parameters it needs."""
        text = prepare(message["sql"])
        match = _EXPLAIN.match(text)
        self._prefix = "EXPLAIN " if match else ""
        self._sql = text[match.end() :] if match else text
        self._pivot = find_pivot(self._sql)
        if self._pivot is None:
            self._checked = check_tree(self._tree(self._sql))
        else:
            trial = self._pivot.with_values([["x"]] * len(self._pivot.values_queries()))
            self._checked = check_tree(self._tree(trial))
            for values in self._pivot.values_queries():
                self._checked.tables |= check_tree(self._tree(values)).tables
        return {"tables": sorted(self._checked.tables), "parameters": self._checked.parameters}

    def run(self, message: dict[str, Any], out: int) -> None:
        """Run the text that was checked last, over the tables that came with this message."""
        sandbox.allow_cpu(int(message["cpu_seconds"]))
        started = time.perf_counter()
        try:
            self._load(message["tables"])
            cursor = self._con.cursor()
            try:
                reader, columns = self._execute(
                    cursor, message["parameters"], BATCH_ROWS.get(message["format"], FEW_ROWS)
                )
                self._send(message, reader, columns, started, out)
            finally:
                cursor.close()
        finally:
            self._forget(message["tables"])

    def _execute(
        self, cursor: duckdb.DuckDBPyConnection, parameters: dict[str, Any], batch_rows: int
    ) -> tuple[pa.RecordBatchReader, list[dict[str, str]]]:
        missing = [name for name in self._checked.parameters if name not in parameters]
        if missing:
            raise QueryRefused("parameters without a value", got=", ".join(":" + name for name in missing))
        given = {name: parameters[name] for name in self._checked.parameters}
        if self._pivot is not None:
            values = [
                cursor.sql(sql, params=given or None).fetchall() for sql in self._pivot.values_queries()
            ]
            self._sql = self._pivot.with_values([[row[0] for row in rows] for rows in values])
            if not check_tree(self._tree(self._sql)).tables <= self._checked.tables:
                raise QueryRefused("the values of PIVOT change what is read", fix="name them: ON … IN (…)")
        try:
            result = cursor.sql(self._prefix + self._sql, params=given or None)
        except duckdb.BinderException as error:
            numbers = {name: _number(value) for name, value in given.items()}
            if "STRING_LITERAL" not in str(error) or numbers == given:
                raise
            result = cursor.sql(self._prefix + self._sql, params=numbers)
        columns = [
            {"name": name, "type": str(kind)} for name, kind in zip(result.columns, result.types, strict=True)
        ]
        if any(column["type"] in _AS_TEXT for column in columns):
            parts = [
                f"#{i}::VARCHAR AS {quote(c['name'])}" if c["type"] in _AS_TEXT else f"#{i}"
                for i, c in enumerate(columns, 1)
            ]
            result = result.project(", ".join(parts))
        return result.to_arrow_reader(batch_rows), columns

    def _send(
        self,
        message: dict[str, Any],
        reader: pa.RecordBatchReader,
        columns: list[dict[str, str]],
        started: float,
        out: int,
    ) -> None:
        limit = int(message["limit"])
        extra = dict(message["extra"])
        names = formats.unique([column["name"] for column in columns])
        schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
        writer = formats.WRITERS[message["format"]](schema, columns, extra)
        held = writer.start()
        size = rows = 0
        truncated = streaming = False
        for batch, more in formats.take_rows(_clean(reader, schema), limit):
            rows += batch.num_rows
            truncated = truncated or more
            pieces = writer.batch(batch)
            size += formats.size_of(pieces)
            if size > message["max_bytes"]:
                raise QueryRefused(
                    "the result is too large",
                    expected=f"at most {message['max_bytes']:,} bytes",
                    fix="ask for fewer rows or columns, or aggregate",
                )
            held += pieces
            if size > FIRST_BYTES and not streaming:
                streaming = True
                _answer(out, {"columns": columns, "streaming": True})
            if streaming:
                _flush(out, held)
        held += writer.finish(rows, truncated)
        end = {
            "rows": rows,
            "truncated": truncated,
            "elapsed_ms": round((time.perf_counter() - started) * 1e3, 2),
        }
        if not streaming:
            _answer(out, {"columns": columns, "streaming": False, **end})
        _flush(out, held)
        _answer(out, {"end": True, **end})

    def _load(self, tables: list[dict[str, Any]]) -> None:
        for table in tables:
            key = (table["schema"], table["name"])
            if self._views.get(key) == table["sql"]:
                continue
            schema = quote(table["schema"]) if table["schema"] else "main"
            self._con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            self._con.execute(f"CREATE OR REPLACE VIEW {schema}.{quote(table['name'])} AS {table['sql']}")
            self._views[key] = table["sql"]

    def _forget(self, tables: list[dict[str, Any]]) -> None:
        """Drop what the next reader must not find: unqualified names, and products that are not public."""
        for table in tables:
            key = (table["schema"], table["name"])
            if (table["shared"] and table["schema"]) or key not in self._views:
                continue
            schema = quote(table["schema"]) if table["schema"] else "main"
            self._con.execute(f"DROP VIEW IF EXISTS {schema}.{quote(table['name'])}")
            del self._views[key]


def _clean(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _flush(out: int, held: formats.Pieces) -> None:
    if held:
        frames.write_pieces(out, frames.DATA, held)
        held.clear()


def _answer(out: int, body: dict[str, Any]) -> None:
    frames.write_frame(out, frames.JSON, orjson.dumps(body))


def _number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}\.\d{1,18}", value):
        return float(value)
    return value


def _problem(error: BaseException, data: str) -> dict[str, Any]:
    """What the catalog may tell the reader about an error: never a path under `data`."""
    if isinstance(error, QueryRefused):
        detail = {"where": error.where, "expected": error.expected, "got": error.got, "fix": error.fix}
        return {"kind": "refused", "what": error.what, **{k: v for k, v in detail.items() if v}}
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError)):
        return {"kind": "memory", "what": "the query needs more memory than one query may have"}
    if isinstance(error, RecursionError):
        return {"kind": "refused", "what": "the query is too deeply nested"}
    if isinstance(error, (duckdb.IOException, duckdb.PermissionException)) or data in str(error):
        return {"kind": "data", "what": "a data file of the product cannot be read"}
    if isinstance(error, duckdb.Error):
        return {"kind": "query", "what": str(error).strip()[:4_000]}
    if isinstance(error, (pa.ArrowNotImplementedError, ArithmeticError, ValueError)):
        what = f"this format cannot hold the result ({str(error)[:200]}); cast the column, for example to VARCHAR"
        return {"kind": "query", "what": what}
    return {"kind": "internal", "what": f"the worker failed: {type(error).__name__}"}


_EXPECTED = (
    *(QueryRefused, duckdb.Error, pa.ArrowException, MemoryError, RuntimeError, ValueError, TypeError),
    *(LookupError, ArithmeticError, OSError),
)
"""What a query may end in; the reader hears of it and the worker is replaced where it is not harmless."""


def hello(out: int, confinement: dict[str, Any]) -> None:
    """Tell the pool that the worker is ready, and how it is shut in."""
    _answer(out, {"ready": True, "confinement": confinement})


def serve(worker: Worker, source: int, out: int) -> None:
    """Answer frames until the input ends."""
    while (frame := frames.read_frame(source)) is not None:
        message = orjson.loads(frame[1])
        try:
            if message["op"] == "check":
                _answer(out, {"ok": True, **worker.check(message)})
            else:
                worker.run(message, out)
        except _EXPECTED as error:
            _answer(out, {"error": _problem(error, worker.data)})
