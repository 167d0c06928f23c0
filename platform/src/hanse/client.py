"""A small client of the catalog: published products as Arrow, pandas, polars or DuckDB.

from hanse.client import Client

catalog = Client("http://127.0.0.1:8321")
orders = catalog.query("SELECT * FROM orders.orders_by_state WHERE state = :state", state="SP")
catalog.at("orders.orders_by_state", "2026-01-31T12:00")   # as readers saw it then
catalog.diff("orders.orders_by_state", 1, 2)               # between two publications
orders.table            # a pyarrow.Table
orders.to_pandas()      # or .to_polars(), .to_duckdb()
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from hanse.errors import HanseError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from hanse.publish.comparison import Comparison

__all__ = ["CatalogError", "Client", "Result"]


class CatalogError(HanseError):
    """The catalog refused, failed, or its answer broke off. `status` is the HTTP status, 0 without one.

    `findings` are those of the gate, when it was the gate that refused.
    """

    def __init__(self, what: str, status: int = 0, **detail: str | None) -> None:
        super().__init__(what, **detail)
        self.status = status
        self.findings: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Result:
    """A complete answer. `truncated` when the limit left rows out; `snapshots` names what was read."""

    table: pa.Table
    truncated: bool
    snapshots: dict[str, str]

    def to_pandas(self) -> pd.DataFrame:
        """A pandas frame."""
        return self.table.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """A polars frame."""
        import polars as pl

        frame = pl.from_arrow(self.table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_duckdb(self, name: str = "result") -> duckdb.DuckDBPyConnection:
        """A DuckDB connection in which the rows are the table `name`."""
        import duckdb

        con = duckdb.connect()
        con.register("_arrow", self.table)
        con.execute(f'CREATE TABLE "{name.replace(chr(34), chr(34) * 2)}" AS SELECT * FROM _arrow')  # noqa: S608
        con.unregister("_arrow")
        return con


class Client:
    """Talks to one catalog. `timeout` is in seconds, for each wait."""

    def __init__(
        self, address: str = "http://127.0.0.1:8321", *, token: str | None = None, timeout: float = 120.0
    ) -> None:
        if urlsplit(address).scheme not in ("http", "https"):
            raise CatalogError("the catalog's address is not HTTP", got=address[:200])
        self._address = address.rstrip("/")
        self._token = token
        self._timeout = timeout

    def register(self, domain: str, name: str, files: dict[str, str]) -> dict[str, Any]:
        """Register a product; `files` by their place in the domain's folder. What became of it, as JSON.

        Raises CatalogError, with `findings` when the gate says no.
        """
        body = {"domain": domain, "name": name, "files": files}
        with self._open("/api/products", body) as answer:
            return json.loads(answer.read())

    def query(self, sql: str, *, as_of: str | None = None, limit: int | None = None, **params: Any) -> Result:
        """Run one SELECT; `params` fill `:name`. Raises CatalogError, also when the answer breaks off."""
        import pyarrow as pa

        body = {"sql": sql, "params": params, "as_of": as_of, "limit": limit, "format": "arrow"}
        with self._open("/api/query", body) as answer:
            batches: list[pa.RecordBatch] = []
            notes: dict[bytes, bytes] = {}
            try:
                reader = pa.ipc.open_stream(answer)
                for item in reader.iter_batches_with_custom_metadata():
                    notes = dict(item.custom_metadata or {})
                    batches.append(item.batch)
            except (pa.ArrowException, OSError, EOFError) as error:
                raise CatalogError("the answer broke off", got=str(error)[:300]) from error
            table = pa.Table.from_batches(batches, reader.schema)
            if notes.get(b"hanse.rows") != str(table.num_rows).encode():
                raise CatalogError("the answer broke off", got=f"{table.num_rows:,} rows and no end")
            seen = [entry.partition("@") for entry in answer.headers.get("Hanse-Snapshots", "").split(", ")]
        snapshots = {name: snapshot for name, at, snapshot in seen if at}
        return Result(table, notes[b"hanse.truncated"] == b"true", snapshots)

    def at(self, full_name: str, moment: datetime | str | int | None = None) -> Result:
        """All rows of a product at a time (UTC without a zone), a publication's number or snapshot id, or now.

        Raises CatalogError, also when the catalog leaves rows out.
        """
        name = ".".join(f'"{part}"' for part in full_name.replace("/", ".", 1).split(".", 1))
        as_of = moment.isoformat() if isinstance(moment, datetime) else moment
        found = self.query(f"SELECT * FROM {name}", as_of=None if as_of is None else str(as_of))  # noqa: S608
        if found.truncated:
            raise CatalogError(
                "the product has more rows than the catalog gives at once",
                where=full_name,
                got=f"{found.table.num_rows:,} rows",
                fix="query a part of it with `as_of`, or use `hanse product at`",
            )
        return found

    def diff(
        self, full_name: str, before: datetime | str | int, after: datetime | str | int, limit: int = 20
    ) -> Comparison:
        """Rows of a product that were added, removed and changed between two moments, `limit` of each kind.

        Columns that only one side has are left out. Raises CatalogError.
        """
        import duckdb

        from hanse.publish.comparison import compare

        key = self.product(full_name)["contract"]["primary_key"]
        sides = [self.at(full_name, moment).table for moment in (before, after)]
        columns = [n for n in sides[1].column_names if n in sides[0].column_names]
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            for name, side in zip(("_before", "_after"), sides, strict=True):
                con.register(name, side)
            shared = [n for n in key if n in columns]
            return compare(con, "FROM _before", "FROM _after", columns, shared, limit)

    def products(self, q: str = "") -> list[dict[str, Any]]:
        """Products that match the text, best first; all without a text."""
        with self._open(f"/api/products?page_size=200&q={quote(q)}") as answer:
            return json.load(answer)["products"]

    def product(self, full_name: str) -> dict[str, Any]:
        """All that the catalog knows of one product."""
        with self._open("/api/products/" + quote(full_name.replace(".", "/", 1))) as answer:
            return json.load(answer)

    def _open(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Accept": "*/*"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = Request(self._address + path, data, headers)  # noqa: S310 - the scheme was checked
        try:
            return urlopen(request, timeout=self._timeout)  # noqa: S310
        except HTTPError as error:
            raise _problem(error) from error
        except (URLError, OSError) as error:
            raise CatalogError(
                "the catalog does not answer",
                where=self._address,
                got=str(error),
                fix="start it with `hanse up`",
            ) from error


def _problem(error: HTTPError) -> CatalogError:
    text = error.read(100_000)
    try:
        body = json.loads(text)
    except ValueError:
        body = {"detail": f"HTTP {error.code}"}
    detail = {key: body.get(key) for key in ("where", "expected", "got", "fix")}
    problem = CatalogError(str(body.get("detail")), error.code, **detail)
    found: Any = body.get("findings")
    problem.findings = found if isinstance(found, list) else []
    return problem
