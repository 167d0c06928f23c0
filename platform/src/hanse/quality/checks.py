"""Runs a contract's checks on a snapshot: all metrics in one scan, then what needs a statement of its own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hanse.descriptors.types import physical_type
from hanse.model.mesh import Contract
from hanse.quality.plan import Check, compile_checks
from hanse.quality.result import CheckResult
from hanse.quoting import quote

if TYPE_CHECKING:
    import duckdb

SAMPLE = 5
QUERY_SECONDS = 120.0
"""How long the query of a `sql` rule may run; then the rule has failed."""


def run_checks(
    con: duckdb.DuckDBPyConnection,
    view: str,
    contract: Contract,
    *,
    oldest: datetime | None = None,
    set_aside: Mapping[str, int] | None = None,
    now: datetime | None = None,
) -> list[CheckResult]:
    """Check `view` (quoted, readable in `con`) against the contract; one result a check, in order.

    `oldest` is the log time of the oldest record that readers have waited for; `set_aside` counts, by rule,
    the rows that were set aside already. A check that cannot run fails and says why.
    """
    schema = check_schema(con, view, contract)
    checks = compile_checks(contract)
    if not schema.passed:
        skipped = [_failed(c, "not measured", "the columns are not those of the contract") for c in checks]
        return [schema, *skipped, *_freshness(contract, oldest, now)]
    values = _measure(con, view, checks)
    results = [schema]
    for check in checks:
        results.append(_judge(con, view, contract, check, values, set_aside or {}))
    return [*results, *_freshness(contract, oldest, now)]


def check_schema(con: duckdb.DuckDBPyConnection, view: str, contract: Contract) -> CheckResult:
    """Columns, their order and types, against the contract."""
    promised = (f"NULL::{physical_type(c.physical_type).duckdb} AS {quote(c.name)}" for c in contract.columns)
    found = _described(con, f"SELECT * FROM {view}")
    wanted = _described(con, f"SELECT {', '.join(promised)}")
    wrong = [
        f"{name} {found.get(name, 'missing')} instead of {wanted.get(name, 'none')}"
        for name in [*wanted, *(n for n in found if n not in wanted)]
        if found.get(name) != wanted.get(name)
    ]
    if not wrong and list(found) != list(wanted):
        wrong = [f"the order {', '.join(found)}"]
    return CheckResult(
        "schema",
        "schema",
        not wrong,
        expected=f"the {len(wanted)} columns of contract {contract.version}",
        got="; ".join(wrong[:10]) or "the same",
    )


def _described(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """Columns and DuckDB types of a query."""
    return {str(row[0]): str(row[1]) for row in con.execute(f"DESCRIBE {query}").fetchall()}


def _measure(con: duckdb.DuckDBPyConnection, view: str, checks: Sequence[Check]) -> dict[str, Any]:
    """Values by check name; when the common scan fails, each is measured alone to find the culprit."""
    import duckdb

    wanted = [(c.name, c.aggregate) for c in checks if c.aggregate and not c.broken]
    try:
        return _scan(con, view, wanted)
    except duckdb.Error:
        values: dict[str, Any] = _scan(con, view, [])
        for name, aggregate in wanted:
            try:
                values |= _scan(con, view, [(name, aggregate)])
            except duckdb.Error as error:
                values[name] = error
        return values


def _scan(con: duckdb.DuckDBPyConnection, view: str, wanted: Sequence[tuple[str, str]]) -> dict[str, Any]:
    columns = ", ".join(["count(*)", *(aggregate for _, aggregate in wanted)])
    row = con.execute(f"SELECT {columns} FROM {view}").fetchone()
    assert row is not None
    return {"": row[0], **{name: value for (name, _), value in zip(wanted, row[1:], strict=True)}}


def _judge(
    con: duckdb.DuckDBPyConnection,
    view: str,
    contract: Contract,
    check: Check,
    values: dict[str, Any],
    set_aside: Mapping[str, int],
) -> CheckResult:
    if check.broken:
        return _failed(check, "not measured", check.broken)
    if check.kind == "text":
        note = "a promise in words: nothing is measured"
        return CheckResult(
            check.name, "text", True, "people to read it", "not measured", check.column, note=note
        )
    if check.kind == "expectation":
        return _expectation(con, view, check)
    value = _query(con, check) if check.query else values[check.name]
    if isinstance(value, Exception):
        return _failed(check, "not measured", str(value).splitlines()[0][:300])
    return _compare(con, view, contract, check, value, int(values[""]), set_aside.get(check.name, 0))


def _compare(
    con: duckdb.DuckDBPyConnection,
    view: str,
    contract: Contract,
    check: Check,
    value: Any,
    rows: int,
    aside: int,
) -> CheckResult:
    measured = (100 * value / rows if rows else 0) if check.percent else value
    passed = check.threshold.accepts(measured)
    unit = "percent" if check.percent else ("rows" if check.bad or check.sample else "")
    counted = check.bad is not None or check.sample is not None
    return CheckResult(
        check.name,
        check.kind,
        passed,
        expected=check.threshold.text(unit),
        got=f"{measured:.4g}" if isinstance(measured, float) else str(measured),
        column=check.column,
        severity=check.severity,
        rows_failed=(int(value) if counted else 0) + aside,
        sample=() if passed else _sample(con, view, contract, check),
        note=f"{aside} rows set aside" if aside else "",
    )


def _failed(check: Check, got: str, why: str) -> CheckResult:
    return CheckResult(
        check.name, check.kind, False, check.threshold.text(), got, check.column, check.severity, note=why
    )


def _query(con: duckdb.DuckDBPyConnection, check: Check) -> Any:
    """The value of a rule's own statement, which must be one SELECT; or the error it gave."""
    import duckdb

    assert check.query is not None
    try:
        statements = con.extract_statements(check.query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return ValueError("the query of a rule must be one SELECT")
        with _limited(con):
            row = con.execute(check.query).fetchone()
    except duckdb.Error as error:
        return error
    return row[0] if row else None


@contextmanager
def _limited(con: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Interrupts what runs longer than QUERY_SECONDS."""
    timer = threading.Timer(QUERY_SECONDS, con.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _sample(
    con: duckdb.DuckDBPyConnection, view: str, contract: Contract, check: Check
) -> tuple[dict[str, Any], ...]:
    if check.bad:
        query = f"SELECT * FROM {view} WHERE {check.bad}"
    elif check.sample:
        query = check.sample.replace("{view}", view)
    else:
        return ()
    return sample_rows(con, query, contract)


def sample_rows(con: duckdb.DuckDBPyConnection, query: str, contract: Contract) -> tuple[dict[str, Any], ...]:
    """The first rows of a query as texts, classified columns masked, long values cut."""
    hidden = {c.name for c in contract.columns if not c.open}
    cursor = con.execute(f"SELECT * FROM ({query}) LIMIT {SAMPLE}")
    names = [str(d[0]) for d in cursor.description or []]
    return tuple(
        {n: ("***" if n in hidden and v is not None else _shown(v)) for n, v in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    )


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:200]


def _expectation(con: duckdb.DuckDBPyConnection, view: str, check: Check) -> CheckResult:
    from hanse.quality.expectations import run_expectation

    return run_expectation(con, view, check)


def _freshness(contract: Contract, oldest: datetime | None, now: datetime | None) -> list[CheckResult]:
    """How long the oldest new record waited on the log. Only a warning: rejecting would prolong the wait."""
    if contract.freshness_ms is None:
        return []
    expected = f"at most {contract.freshness_ms / 1000:g} s on the log"
    if oldest is None:
        return [CheckResult("freshness", "freshness", True, expected, "no new record", severity="warning")]
    waited = (now or datetime.now(UTC)) - oldest
    seconds = waited.total_seconds()
    passed = seconds * 1000 <= contract.freshness_ms
    return [CheckResult("freshness", "freshness", passed, expected, f"{seconds:.1f} s", severity="warning")]
