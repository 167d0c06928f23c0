"""Versioned tables, the right side of temporal and lookup joins: every version with its time and key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from hanse.sql import traces
from hanse.sql.catalog import Source, View
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.relation import Relation, refuse

if TYPE_CHECKING:
    from hanse.sql.query import QueryCompiler


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions: `relation` also has `_live` (not a delete) and `_until` (arrival of the next version).

    `keys` are column names, `time` the text of the version's event time.
    """

    relation: Relation
    keys: tuple[str, ...]
    time: str


def versioned(query: QueryCompiler, node: exp.Table, *, by_time: bool) -> Versions:
    """The versions of a keyed source, or of a view that keeps the last row per key. Raises UnsupportedSQL."""
    found = query.catalog.find([part.name for part in node.parts])
    if isinstance(found, Source):
        return _of_source(query, found, node, by_time=by_time)
    if isinstance(found, View):
        made = _of_view(query, found)
        if made is not None:
            return made
    if not by_time:
        relation = query.settle(query.table(node))
        text = f"SELECT *, TRUE AS _live, NULL::BIGINT[] AS _until FROM ({relation.sql})"
        return Versions(relation.with_sql(text), (), "_s")
    raise refuse(
        "FOR SYSTEM_TIME AS OF on what has no versions", node, "declare a PRIMARY KEY and a WATERMARK on it"
    )


def _of_source(query: QueryCompiler, source: Source, node: Any, *, by_time: bool) -> Versions:
    if by_time and (not source.primary_key or source.rowtime is None):
        raise refuse(
            f"FOR SYSTEM_TIME AS OF on {source.name}", node, "declare a PRIMARY KEY and a WATERMARK on it"
        )
    query.used.add(source.number)
    source.log_needed = True
    table, number = query.reading(source)
    names = ", ".join(column.sql for column in source.columns)
    by_name = {column.name: column.sql for column in source.columns}
    key = ", ".join(by_name[name] for name in source.primary_key)
    until = f"lead([_seq]) OVER (PARTITION BY {key} ORDER BY _seq)" if key else "NULL::BIGINT[]"
    text = (
        f"SELECT {names}, [_seq] AS _s, {query.watermarks()} AS _w, _kind IN (0, 2) AS _live, {until} AS _until "
        f"FROM {table}"
    )
    if by_time:
        # a -U only announces the +U behind it: the version lasts until that one's time
        text += " WHERE _kind <> 1"
    governs = frozenset({source.number}) if source.watermark else frozenset[int]()
    time = by_name[source.rowtime] if source.rowtime else "_s"
    made = query.traced(Relation(text, source.columns, governs), source, number, linear=False)
    return Versions(_by_key(made, source.primary_key), source.primary_key, time)


def _of_view(query: QueryCompiler, view: View) -> Versions | None:
    """`SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY t DESC) AS rn …) WHERE rn = 1`."""
    select = view.query
    clause = select.args.get("from_") or select.args.get("from") if isinstance(select, exp.Select) else None
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    if clause is None or where is None or not isinstance(clause.this, exp.Subquery):
        return None
    inner = clause.this.this
    window = next(iter(inner.find_all(exp.Window)), None) if isinstance(inner, exp.Select) else None
    if window is None:
        return None
    partition, order, _ = query.window_clause(window)
    if len(order) != 1 or not order[0].args.get("desc") or not isinstance(order[0].this, exp.Column):
        return None
    bare = select.copy()
    bare.set("where", None)
    relation = query.query(bare)
    inner_relation = query.query(inner)
    keys = tuple(column.name for column in partition if isinstance(column, exp.Column))
    names = {column.name: column for column in relation.columns}
    time = next((column for column in relation.columns if column.role == "rowtime"), None)
    if time is None or any(key not in names for key in keys):
        return None
    del inner_relation
    key = ", ".join(names[name].sql for name in keys)
    until = f"lead(_s) OVER (PARTITION BY {key} ORDER BY _s)"
    text = f"SELECT *, TRUE AS _live, {until} AS _until FROM ({relation.sql})"
    return Versions(_by_key(relation.with_sql(text), keys), keys, time.sql)


def _by_key(relation: Relation, keys: tuple[str, ...]) -> Relation:
    """Versions follow each other within a key: no other column tells them apart."""
    columns = tuple(c if c.name in keys else replace(c, trace=traces.NONE) for c in relation.columns)
    return replace(relation, columns=columns, parts=traces.of_columns(columns), linear=frozenset())


__all__ = ["ExpressionCompiler", "Versions", "versioned"]
