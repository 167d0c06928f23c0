"""Plans one projection. Imports the SQL planner, so only a run with something new to plan loads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hanse.errors import ConfigError, UnsupportedSQL
from hanse.model.mesh import MeshModel, Product
from hanse.projection.program import Program, compose_program, relocated, sink_table
from hanse.sql.program import compile_program, parse
from hanse_governance.lineage import analyse
from hanse_governance.planning import Job
from hanse_governance.plans import Plan, Refusal

Columns = Mapping[str, tuple[tuple[str, str], ...]]
_MOST_TEXT = 300


def plan_job(job: Job) -> dict[str, Any]:
    """The plan of one job as plain values, so that another process can give it back.

    A breakdown of the planner is an answer too: it must not hide what is found in the rest of the mesh.
    """
    try:
        return plan_one(*job).as_dict()
    except Exception as error:  # noqa: BLE001
        return Plan(refusal=_breakdown(error), failed=True).as_dict()


def _breakdown(error: Exception) -> Refusal:
    lines = str(error).splitlines() or [""]
    told = f"{type(error).__name__}: {lines[0][:_MOST_TEXT]}".removesuffix(": ")
    return Refusal(
        f"the planner broke down: {told}",
        1,
        1,
        "write the query differently, and report this as a fault of Hanse",
    )


def plan_one(model: MeshModel, product: Product, text: str, columns: Columns) -> Plan:
    """What the planner says of a product's projection; a refusal is part of the answer.

    `columns` are those of the product's inputs, by full name.
    """

    def names(table: str) -> list[str]:
        return [n for n, _ in columns.get(table if "." in table else f"{product.domain}.{table}", ())]

    planned = Plan()
    statements = None
    if all(columns.get(name) for name in product.inputs):  # else PRD001 or SCH001 tells what is wrong
        planned, statements = _planned(model, product)
    try:
        found = analyse(parse(text) if statements is None else statements, names)
    except UnsupportedSQL as error:
        return Plan(refusal=_refusal(error))
    except RecursionError:
        return Plan(refusal=Refusal("the projection is nested too deeply", 1, 1, "split it into views"))
    return replace(
        planned,
        tables=tuple(sorted(found.tables)),
        lineage=found.lineage(),
        values=found.values(),
        filters=tuple(sorted(found.filters)),
        fingerprints=tuple(found.rules),
        open_joins=tuple(sorted(found.open_joins)),
    )


def _planned(model: MeshModel, product: Product) -> tuple[Plan, list[Any] | None]:
    """The output columns that follow from the text, whatever the contract promises; and the syntax trees."""
    try:
        program = compose_program(product, model)
    except ConfigError as error:
        refusal = Refusal(error.what, 1, 1, error.fix or error.expected or "correct the file")
        return Plan(refusal=refusal), None
    try:
        compiled = compile_program(
            _without_sink(program, product), emission=product.emission, late=product.late
        )
    except UnsupportedSQL as error:
        if program.locate(error.line, error.column) is None:  # in the tables made from descriptors
            return Plan(refusal=Refusal(error.what, 1, 1, error.advice)), None
        return Plan(refusal=_refusal(relocated(error, program, product))), None
    sink = next(iter(compiled.sinks.values()))
    columns = tuple((c.name, c.type.duckdb) for c in sink.columns)
    text = _digest(compiled.statements, product)
    return Plan(columns=columns, updates=not sink.relation.append, program=text), compiled.statements


def _digest(statements: list[Any], product: Product) -> str:
    """The program without its comments, and what the contract makes of it, in short."""
    texts: list[str] = [sink_table(product)]
    for statement in statements:
        bare = statement.copy()
        for node in bare.walk():
            node.comments = None
        texts.append(repr(bare))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _without_sink(program: Program, product: Product) -> str:
    """The program's text, line for line, without the table that the contract declares."""
    table = sink_table(product)
    return program.text.replace(table, "\n" * table.count("\n"), 1)


def _refusal(error: UnsupportedSQL) -> Refusal:
    return Refusal(error.what, error.line, error.column, error.advice)
