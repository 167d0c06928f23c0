"""A rebuilt state beside what readers see: rows, checksums, what differs, and the contract's checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hanse.model.mesh import Product
from hanse.publish.comparison import Comparison, checksum, compare
from hanse.publish.schema import contract_types, duckdb_type, iceberg_schema
from hanse.publish.state import SinkState, one
from hanse.publish.write import columns, good
from hanse.quality.plan import set_aside_predicates
from hanse.quality.result import CheckResult

if TYPE_CHECKING:
    import duckdb

    from hanse.publish.reader import Reader


@dataclass(frozen=True, slots=True)
class Compared:
    """What readers see (`before`, None when nothing was published) and what was built: rows, checksum.

    `difference` is over the columns that both have with the same type; `new_columns` and `gone_columns` are
    the others. `checks` are the contract's on the new rows, when they were run without publishing.
    """

    before: tuple[int, str] | None
    after: tuple[int, str]
    difference: Comparison | None
    new_columns: tuple[str, ...] = ()
    gone_columns: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check that can reject failed."""
        return all(c.passed or c.severity == "warning" for c in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "before": _side(self.before),
            "after": _side(self.after),
            "new_columns": list(self.new_columns),
            "gone_columns": list(self.gone_columns),
            "difference": self.difference.as_dict() if self.difference else None,
            "checks": [c.as_dict() for c in self.checks],
        }


def look(
    reader: Reader, product: Product, con: duckdb.DuckDBPyConnection, sink: SinkState, *, checked: bool
) -> Compared:
    """The rows that were built, cast to the contract's types, beside what readers see."""
    schema = iceberg_schema(contract_types(product.contract))
    aside = set_aside_predicates(product.contract)
    rows = sink.output or f"(SELECT * FROM {sink.changes} WHERE _op > 0)"
    built = f"SELECT {columns(schema, sink)} FROM {rows} WHERE {good(aside)}"
    types = {f.name: duckdb_type(f.field_type) for f in schema.fields}
    checks = _checked(con, product, built, rows, aside) if checked else ()
    if reader.head(product.full_name) is None:
        return Compared(None, checksum(con, built, tuple(types)), None, checks=checks)
    seen = reader.scan(product.full_name)
    had = dict(seen.schema)
    both = tuple(name for name, kind in types.items() if had.get(name) == kind)
    key = product.contract.primary_key if set(product.contract.primary_key) <= set(both) else ()
    return Compared(
        checksum(con, seen.sql, both),
        checksum(con, built, both),
        compare(con, seen.sql, built, both, key),
        tuple(n for n in types if n not in both),
        tuple(n for n in had if n not in both),
        checks,
    )


def _checked(
    con: duckdb.DuckDBPyConnection, product: Product, built: str, rows: str, aside: dict[str, str]
) -> tuple[CheckResult, ...]:
    from hanse.quality import run_checks

    con.execute(f"CREATE OR REPLACE TEMP TABLE _built AS {built}")
    counts = {
        name: int(one(con, f"SELECT count(*) FROM {rows} WHERE ({test}) IS TRUE"))
        for name, test in aside.items()
    }
    return tuple(run_checks(con, "_built", product.contract, set_aside=counts, now=datetime.now(UTC)))


def _side(side: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if side is None else {"rows": side[0], "checksum": side[1]}
