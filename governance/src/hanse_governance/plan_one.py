"""Plans one projection. Imports the SQL planner, so only a run with something new to plan loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hanse.errors import ConfigError, UnsupportedSQL
from hanse.model.mesh import MeshModel, Product
from hanse.projection.program import Program, compose_program, relocated, sink_table
from hanse.sql.program import compile_program, parse
from hanse_governance.lineage import analyse
from hanse_governance.plans import Plan, Refusal

ColumnsOf = Callable[[str], tuple[tuple[str, str], ...]]


def plan_one(model: MeshModel, product: Product, text: str, columns_of: ColumnsOf) -> Plan:
    """What the planner says of a product's projection; a refusal is part of the answer."""

    def names(table: str) -> list[str]:
        return [n for n, _ in columns_of(table if "." in table else f"{product.domain}.{table}")]

    try:
        found = analyse(parse(text), names)
    except UnsupportedSQL as error:
        return Plan(refusal=_refusal(error))
    except RecursionError:
        return Plan(refusal=Refusal("the projection is nested too deeply", 1, 1, "split it into views"))
    plan = Plan(
        tables=tuple(sorted(found.tables)),
        lineage=found.lineage(),
        values=found.values(),
        filters=tuple(sorted(found.filters)),
        fingerprints=tuple(found.rules),
    )
    if any(not columns_of(name) for name in product.inputs):
        return plan  # the input or its schema is what is wrong: PRD001 and SCH001 tell
    return _planned(plan, model, product)


def _planned(plan: Plan, model: MeshModel, product: Product) -> Plan:
    """The plan with the output columns that follow from the text, whatever the contract promises."""
    try:
        program = compose_program(product, model)
    except ConfigError as error:
        kind = "unsupported" if any(model.product(name) for name in product.inputs) else "refusal"
        return replace(
            plan, **{kind: Refusal(error.what, 1, 1, error.fix or error.expected or "correct the file")}
        )
    try:
        compiled = compile_program(
            _without_sink(program, product), emission=product.emission, late=product.late
        )
    except UnsupportedSQL as error:
        if program.locate(error.line, error.column) is None:  # in the tables made from descriptors
            return replace(plan, refusal=Refusal(error.what, 1, 1, error.advice))
        return replace(plan, refusal=_refusal(relocated(error, program, product)))
    sink = next(iter(compiled.sinks.values()))
    columns = tuple((c.name, c.type.duckdb) for c in sink.columns)
    return replace(plan, columns=columns, updates=not sink.relation.append)


def _without_sink(program: Program, product: Product) -> str:
    """The program's text, line for line, without the table that the contract declares."""
    table = sink_table(product)
    return program.text.replace(table, "\n" * table.count("\n"), 1)


def _refusal(error: UnsupportedSQL) -> Refusal:
    return Refusal(error.what, error.line, error.column, error.advice)
