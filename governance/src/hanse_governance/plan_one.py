"""Plans one projection. Imports the SQL planner, so only a run with something new to plan loads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlglot
from sqlglot.errors import ParseError, SqlglotError

from hanse.errors import UnsupportedSQL
from hanse.model.mesh import MeshModel, Product
from hanse.sql.dialect import Flink
from hanse_governance.lineage import Analysis, analyse
from hanse_governance.plans import Plan, Refusal

ColumnsOf = Callable[[str], tuple[tuple[str, str], ...]]


def plan_one(model: MeshModel, product: Product, text: str, columns_of: ColumnsOf) -> Plan:
    """What the planner says of a product's projection; a refusal is part of the answer."""
    statements = _parsed(text)
    if isinstance(statements, Refusal):
        return Plan(refusal=statements)

    def names(table: str) -> list[str]:
        return [n for n, _ in columns_of(table if "." in table else f"{product.domain}.{table}")]

    try:
        found = analyse(statements, names)
    except RecursionError:
        return Plan(refusal=Refusal("the projection is nested too deeply", 1, 1, "use views"))
    return _shape(found)


def _parsed(text: str) -> list[Any] | Refusal:
    try:
        return [s for s in sqlglot.parse(text, dialect=Flink) if s is not None]
    except UnsupportedSQL as error:
        return Refusal(error.what, error.line, error.column, error.advice)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        what = str(first.get("description") or error).strip().rstrip(".")
        near = str(first.get("highlight") or "")
        line, column = int(first.get("line") or 1), int(first.get("col") or 1)
        said = f"the projection is not SQL: {what}" + (f" near {near!r}" if near else "")
        return Refusal(said, line, max(column - len(near) + 1, 1), "correct the statement")
    except SqlglotError as error:
        return Refusal(f"the projection is not SQL: {error}", 1, 1, "correct the statement")
    except RecursionError:
        return Refusal("the projection is nested too deeply", 1, 1, "use views")


def _shape(found: Analysis) -> Plan:
    return Plan(
        tables=tuple(sorted(found.tables)),
        lineage=found.lineage(),
        values=found.values(),
        filters=tuple(sorted(found.filters)),
        fingerprints=tuple(found.rules),
    )
