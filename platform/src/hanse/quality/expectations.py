"""Great Expectations rules: `type: custom`, `engine: greatExpectations`.

The import takes seconds, so it happens only when a contract has such a rule. The rows are given as a data
frame of the columns the expectation names.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.descriptors import yaml
from hanse.descriptors.problem import Invalid
from hanse.quality.plan import Check
from hanse.quality.result import CheckResult
from hanse.quoting import quote

if TYPE_CHECKING:
    import duckdb

ENGINE = "greatexpectations"


def run_expectation(con: duckdb.DuckDBPyConnection, view: str, check: Check) -> CheckResult:
    """Run one expectation. What is malformed or unknown fails and says why."""
    definition = check.definition or {}
    engine = str(definition.get("engine", ""))
    if re.sub(r"[^a-z]", "", engine.lower()) != ENGINE:
        return _broken(check, f"Hanse has no quality engine {engine!r}")
    try:
        kind, kwargs = _implementation(definition.get("implementation"))
    except ValueError as error:
        return _broken(check, str(error))
    return _validate(con, view, check, kind, kwargs)


def _broken(check: Check, why: str) -> CheckResult:
    return CheckResult(
        check.name,
        "expectation",
        False,
        "the expectation to hold",
        "not measured",
        check.column,
        check.severity,
        note=why,
    )


def _implementation(value: Any) -> tuple[str, dict[str, Any]]:
    """Type and arguments; ODCS writes them as an object or as YAML in a text. Raises ValueError."""
    if isinstance(value, str):
        try:
            value = yaml.parse(value, Path("implementation")).data
        except Invalid as error:
            raise ValueError(f"the implementation is not YAML: {error.problem.what}") from error
    found = value if isinstance(value, dict) else {}
    kind = str(found.get("type") or found.get("expectation_type") or "")
    kwargs = found.get("kwargs") or {}
    if not re.fullmatch(r"expect_[a-z0-9_]{1,100}", kind) or not isinstance(kwargs, dict):
        raise ValueError("the implementation needs type: expect_… and kwargs")
    return kind, {re.sub(r"(?<!^)([A-Z])", r"_\1", str(k)).lower(): v for k, v in kwargs.items()}


def _validate(
    con: duckdb.DuckDBPyConnection, view: str, check: Check, kind: str, kwargs: dict[str, Any]
) -> CheckResult:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.exceptions.exceptions import GreatExpectationsError
        from great_expectations.expectations.registry import get_expectation_impl

        try:
            expectation = get_expectation_impl(kind)(**kwargs)
        except (GreatExpectationsError, ValueError, TypeError) as error:
            return _broken(check, f"{kind}: {str(error).splitlines()[0][:300]}")
        frame = con.execute(_columns(con, view, kwargs)).df()
        context = gx.get_context(mode="ephemeral")
        variables: Any = context.variables
        variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("snapshot").add_dataframe_asset("snapshot")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        outcome = batch.validate(expectation)
    return _result(check, kind, kwargs, outcome.to_json_dict())


def _columns(con: duckdb.DuckDBPyConnection, view: str, kwargs: dict[str, Any]) -> str:
    """A query of the columns that the arguments name; all when none is named."""
    known = [str(r[0]) for r in con.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()]
    named = {v for k, v in kwargs.items() if k.startswith("column") and isinstance(v, str)}
    named |= {c for c in kwargs.get("column_list") or [] if isinstance(c, str)}
    wanted = [c for c in known if c in named] if named and named <= set(known) else known
    return f"SELECT {', '.join(quote(c) for c in wanted)} FROM {view}"


def _result(check: Check, kind: str, kwargs: dict[str, Any], outcome: dict[str, Any]) -> CheckResult:
    result: dict[str, Any] = outcome.get("result") or {}
    raised = outcome.get("exception_info") or {}
    problem = next((str(v.get("exception_message")) for v in raised.values() if isinstance(v, dict)), "")
    got = result.get("observed_value", f"{result.get('unexpected_count', 0)} unexpected rows")
    arguments = ", ".join(f"{k}={v}" for k, v in kwargs.items())
    return CheckResult(
        check.name,
        "expectation",
        bool(outcome.get("success")),
        expected=f"{kind}({arguments})"[:300],
        got=str(got)[:300],
        column=check.column,
        severity=check.severity,
        rows_failed=int(result.get("unexpected_count") or 0),
        note=problem[:300],
    )
