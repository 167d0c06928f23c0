"""Whole programs: CREATE TABLE, CREATE VIEW, SET and INSERT INTO, checked and lowered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from hanse.errors import UnsupportedSQL
from hanse.sql import dialect as ast
from hanse.sql import differential, incremental
from hanse.sql.casts import cast
from hanse.sql.catalog import Catalog, Changelog, Source, View
from hanse.sql.expressions import ExpressionCompiler
from hanse.sql.query import QueryCompiler
from hanse.sql.relation import RESERVED, Binding, Column, Relation, Scope, Value, refuse, unique_columns
from hanse.sql.types import BIGINT, Type, TypeSyntax, parse_type, quote

MAX_BYTES = 1_000_000
MAX_NESTING = 200
DEFAULT_SINK = "result"
_LENGTHS = "table.exec.sink.type-length-enforcer"
_NOT_NULL = "table.exec.sink.not-null-enforcer"


@dataclass(slots=True)
class Sink:
    """A sink and the query that fills it. `relation` has the sink's columns, in its types."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    relation: Relation
    query: Any
    sources: frozenset[int]
    operators: tuple[str, ...]
    governs: frozenset[int]
    incremental: Any = None
    closed: bool = False


@dataclass(slots=True)
class Program:
    """A checked program. `statements` are the parsed syntax trees."""

    catalog: Catalog
    sinks: dict[str, Sink]
    statements: list[Any]


@dataclass(slots=True)
class _Declared:
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    node: Any
    not_null: frozenset[str]


@dataclass(slots=True)
class _Insert:
    """One INSERT INTO: the columns it names, and the values a PARTITION clause fixes."""

    names: list[str]
    query: Any
    fixed: dict[str, Any]


def parse(text: str) -> list[Any]:
    """The syntax trees of a program. Raises UnsupportedSQL with line and column."""
    if len(text.encode()) > MAX_BYTES:
        raise UnsupportedSQL(f"a text of more than {MAX_BYTES} bytes", 1, 1, "split it into several products")
    _check_nesting(text)
    try:
        return [tree for tree in sqlglot.parse(_unwrap(text), dialect=ast.Flink) if tree is not None]
    except ParseError as error:
        detail = error.errors[0] if error.errors else {}
        line, column = int(detail.get("line") or 1), int(detail.get("col") or 1)
        word = detail.get("highlight") or "the end of the text"
        said = str(detail.get("description") or "syntax").split(" but got ")[0].rstrip(".")
        raise UnsupportedSQL(
            f"{said} at {word!r}",
            line,
            column,
            "check the syntax",
        ) from error
    except TokenError as error:
        raise UnsupportedSQL("text that is no SQL", 1, 1, str(error)) from error
    except RecursionError as error:
        raise UnsupportedSQL("text nested this deep", 1, 1, "nest less") from error


def _check_nesting(text: str) -> None:
    depth = 0
    for at, letter in enumerate(text):
        if letter == "(":
            depth += 1
            if depth > MAX_NESTING:
                line = text.count("\n", 0, at) + 1
                raise UnsupportedSQL(
                    "parentheses nested this deep",
                    line,
                    at - text.rfind("\n", 0, at),
                    f"nest at most {MAX_NESTING} levels",
                )
        elif letter == ")":
            depth -= 1


def _unwrap(text: str) -> str:
    """Drop the words around a statement set; its INSERTs stand for themselves."""
    import re

    text = re.sub(
        r"(?is)\b(EXECUTE|BEGIN)\s+STATEMENT\s+SET\s*(BEGIN)?\s*;?", lambda m: " " * len(m.group()), text
    )
    return re.sub(r"(?is);\s*END\s*;?\s*$", ";", text)


class ProgramCompiler:
    """Compiles a program's trees under an emission and a late rule.

    `changelogs` overrides the changelog of sources that turned out other than assumed.
    """

    def __init__(
        self,
        emission: Literal["update", "closed"] = "update",
        late: Literal["keep", "drop"] = "keep",
        changelogs: dict[str, Changelog] | None = None,
    ) -> None:
        self.emission: Literal["update", "closed"] = emission
        self.late: Literal["keep", "drop"] = late
        self.changelogs = changelogs or {}
        self.catalog = Catalog()
        self.declared: dict[str, _Declared] = {}

    def compile(self, text: str) -> Program:
        """The program of `text`. Raises UnsupportedSQL."""
        statements = parse(text)
        if not statements:
            raise UnsupportedSQL("an empty program", 1, 1, "write a SELECT or an INSERT INTO … SELECT")
        targets = {_name(tree.this) for tree in statements if isinstance(tree, exp.Insert)}
        for tree in statements:
            if isinstance(tree, ast.Setting):
                self._setting(tree)
        inserts: list[tuple[str, _Insert]] = []
        for tree in statements:
            self._statement(tree, targets, inserts)
        sinks: dict[str, Sink] = {}
        grouped: dict[str, list[_Insert]] = {}
        for name, insert in inserts:
            grouped.setdefault(name, []).append(insert)
        if not grouped:
            raise UnsupportedSQL(
                "a program without a query", 1, 1, "end it with SELECT or INSERT INTO … SELECT"
            )
        for name, queries in grouped.items():
            sinks[name] = self._sink(name, queries)
        return Program(self.catalog, sinks, statements)

    def _setting(self, tree: ast.Setting) -> None:
        self.catalog.settings[tree.this.name] = tree.expression.name
        if tree.this.name == "table.local-time-zone":
            self.catalog.zone = tree.expression.name

    def _statement(self, tree: Any, targets: set[str], inserts: list[tuple[str, _Insert]]) -> None:
        if isinstance(tree, ast.CreateTable):
            name = _name(tree.this)
            if name in targets:
                self.declared[name] = self._declare_sink(tree)
            else:
                self.catalog.sources[name] = self._source(name, tree)
        elif isinstance(tree, ast.CreateView):
            names = tuple(column.name for column in tree.args.get("names") or [])
            self.catalog.views[_name(tree.this)] = View(_name(tree.this), tree.expression, names)
        elif isinstance(tree, exp.Insert):
            inserts.append(_insert(tree))
        elif isinstance(tree, exp.Query):
            if any(name == DEFAULT_SINK for name, _ in inserts):
                raise refuse("a second query without INSERT INTO", tree, "give each a sink by INSERT INTO")
            inserts.append((DEFAULT_SINK, _Insert([], tree, {})))
        elif not isinstance(tree, ast.Setting):
            raise refuse(
                f"the statement {tree.key.upper()}",
                tree,
                "use CREATE TABLE, CREATE VIEW, INSERT INTO or SELECT",
            )

    # tables

    def _kind(self, node: Any) -> Type:
        try:
            return parse_type(node.name)
        except TypeSyntax as error:
            raise refuse(str(error), node, "use a type of the language") from error

    def _declare_sink(self, tree: ast.CreateTable) -> _Declared:
        named: list[tuple[str, Type, str | None]] = [
            (column.this.name, self._kind(column.args["kind"]), None)
            for column in tree.args["columns"]
            if column.args.get("kind") is not None and not column.args.get("virtual")
        ]
        filled = frozenset(c.this.name for c in tree.args["columns"] if c.args.get("not_null"))
        return _Declared(unique_columns(named), self._primary_key(tree), tree, filled)

    def _primary_key(self, tree: ast.CreateTable) -> tuple[str, ...]:
        names = [name.name for name in tree.args.get("key") or []]
        names += [column.this.name for column in tree.args["columns"] if column.args.get("key")]
        known = {column.this.name for column in tree.args["columns"]}
        for name in names:
            if name not in known:
                raise refuse(f"the key column {name}", tree, "name a column of the table")
        return tuple(dict.fromkeys(names))

    def _source(self, name: str, tree: ast.CreateTable) -> Source:
        rows = tree.args["columns"]
        if len({row.this.name for row in rows}) < len(rows):
            raise refuse("a column named twice", tree, "give each column its own name")
        if len({row.this.name.lower() for row in rows}) < len(rows):
            raise refuse("columns that differ only in case", tree, "give each column its own name")
        for row in rows:
            if row.this.name.lower() in RESERVED:
                raise refuse(
                    f"the column name {row.this.name}", row.this, "the engine uses it: choose another"
                )
        physical: list[tuple[str, Type, str | None]] = [
            (r.this.name, self._kind(r.args["kind"]), None) for r in rows if r.args.get("kind") is not None
        ]
        stored = unique_columns(physical)
        query = QueryCompiler(self.catalog, self.emission, self.late)
        scope = Scope([Binding(name.split(".")[-1], "", stored)])
        compiler = ExpressionCompiler(query, scope)
        compiler.processing_time = "_proctime"
        computed: dict[str, str] = {}
        by_name: dict[str, Column] = {column.name: column for column in stored}
        for row in rows:
            if row.args.get("computed") is not None:
                value = compiler.value(row.args["computed"])
                column = Column(
                    row.this.name,
                    value.type,
                    quote(row.this.name),
                    value.role if value.role == "proctime" else None,
                )
                by_name[column.name] = column
                computed[column.name] = value.sql
        ordered = [by_name[row.this.name] for row in rows]
        rowtime, watermark = self._watermark(tree, query, ordered)
        columns = tuple(replace(c, role="rowtime") if c.name == rowtime else c for c in ordered)
        changelog, declared = self._changelog(name, tree)
        return Source(
            name, len(self.catalog.sources), columns, tuple(c.name for c in stored), computed,
            self._primary_key(tree), changelog, declared, rowtime, watermark,
            not_null=frozenset(r.this.name for r in rows if r.args.get("not_null")),
        )  # fmt: skip

    def _watermark(
        self, tree: ast.CreateTable, query: QueryCompiler, columns: list[Column]
    ) -> tuple[str | None, str | None]:
        node = tree.args.get("watermark")
        if node is None:
            return None, None
        scope = Scope([Binding("", "", tuple(columns))])
        name = node.this.name
        column = next((column for column in columns if column.name == name), None)
        if column is None or not column.type.kind.startswith("TIMESTAMP"):
            raise refuse(f"WATERMARK FOR {name}", node, "name a TIMESTAMP column of the table")
        value = ExpressionCompiler(query, scope).value(node.expression)
        if "SOURCE_WATERMARK" in node.expression.sql().upper():
            value = Value(column.sql, column.type)
        return name, f"epoch_ms({value.sql})"

    def _changelog(self, name: str, tree: ast.CreateTable) -> tuple[Changelog, bool]:
        if name in self.changelogs:
            return self.changelogs[name], False
        options = {option.this.name: option.expression.name for option in tree.args.get("options") or []}
        text = options.get("changelog-mode") or options.get("changelog")
        keyed = bool(self._primary_key(tree))
        if text is None:
            return "append", False
        if text.lower() in ("append", "upsert", "retract"):
            mode: Changelog = text.lower()  # type: ignore[assignment]
        else:
            kinds = {kind.strip().upper() for kind in text.split(",")}
            mode = "append" if kinds <= {"I"} else ("upsert" if keyed and "UB" not in kinds else "retract")
        if mode == "upsert" and not keyed:
            raise refuse("an upsert source without PRIMARY KEY", tree, "declare PRIMARY KEY (…) NOT ENFORCED")
        return mode, True

    # sinks

    def _sink(self, name: str, queries: list[_Insert]) -> Sink:
        declared = self.declared.get(name)
        compiler = QueryCompiler(self.catalog, self.emission, self.late)
        relations = [self._one(compiler, declared, insert) for insert in queries]
        relation = relations[0]
        if len(relations) > 1:
            text = " UNION ALL ".join(f"SELECT {_listed(r)}, _s, _w FROM ({r.sql})" for r in relations)
            sources = frozenset().union(*(r.sources for r in relations))
            relation = Relation(text, relation.columns, sources, append=all(r.append for r in relations))
        keys = declared.primary_key if declared else ()
        for column in relation.columns:
            if column.name.lower() in RESERVED:
                clause = f"the result column name {column.name}"
                raise refuse(clause, queries[0].query, "the engine uses it: give another by AS")
            if column.role == "proctime":
                raise refuse(
                    f"processing time in the result column {column.name}",
                    queries[0].query,
                    "a replay must give the same rows: leave it out",
                )
        sink = Sink(
            name, relation.columns, keys, relation, queries[0].query, frozenset(compiler.used),
            tuple(compiler.operators), relation.sources, closed=self.emission == "closed",
        )  # fmt: skip
        if not any(insert.names or insert.fixed for insert in queries) and not self._drops_null(declared):
            texts = [insert.query for insert in queries]
            sink.incremental = incremental.plan(self, sink, texts) or differential.plan(self, sink, texts)
        return sink

    def sink_text(self, value: Value, column: Column) -> str:
        """The value as the sink's column; declared lengths only count when the setting says so, as in Flink."""
        kind = column.type
        if kind.kind == "STRING" and self.catalog.settings.get(_LENGTHS, "IGNORE").upper() != "TRIM_PAD":
            kind = Type("STRING")
        if value.type.kind == kind.kind == "STRING" and kind.size is None:
            return value.sql
        return cast(value, kind, self.catalog.zone)

    def _drops_null(self, declared: _Declared | None) -> bool:
        drop = self.catalog.settings.get(_NOT_NULL, "ERROR").upper() == "DROP"
        return drop and declared is not None and bool(declared.not_null)

    def _one(self, compiler: QueryCompiler, declared: _Declared | None, insert: _Insert) -> Relation:
        query = insert.query
        try:
            relation = compiler.settle(compiler.query(query))
        except RecursionError as error:
            raise refuse("a query nested this deep", query, "split it into views") from error
        if declared is None:
            typed = [replace(c, type=BIGINT if c.type.kind == "NULL" else c.type) for c in relation.columns]
            return replace(relation, columns=tuple(typed))
        fixed = {
            name: ExpressionCompiler(compiler, Scope()).value(node) for name, node in insert.fixed.items()
        }
        targets = {column.name: column for column in declared.columns}
        names = insert.names or [name for name in targets if name not in fixed]
        if len(names) != len(relation.columns) or not set(names) | set(fixed) <= set(targets):
            raise refuse(
                "a query whose columns are not the sink's", query, f"the sink has {', '.join(targets)}"
            )
        given = dict(zip(names, relation.columns, strict=True))
        parts: list[str] = []
        for column in declared.columns:
            source = given.get(column.name)
            value = fixed.get(column.name, Value("NULL", Type("NULL")))
            value = Value(source.sql, source.type) if source is not None else value
            parts.append(f"{self.sink_text(value, column)} AS {column.sql}")
        text = f"SELECT {', '.join(parts)}, _s, _w FROM ({relation.sql})"
        if self._drops_null(declared):
            filled = [c.sql for c in declared.columns if c.name in declared.not_null]
            text = f"SELECT * FROM ({text}) WHERE {' AND '.join(f'{name} IS NOT NULL' for name in filled)}"
        timed = {name for name, column in given.items() if column.role == "proctime"}
        columns = tuple(replace(c, role="proctime" if c.name in timed else None) for c in declared.columns)
        return replace(relation, sql=text, columns=columns)


def _listed(relation: Relation) -> str:
    return ", ".join(column.sql for column in relation.columns)


def _name(node: Any) -> str:
    if isinstance(node, exp.Schema):
        node = node.this
    return ".".join(part.name for part in node.parts)


def _insert(tree: exp.Insert) -> tuple[str, _Insert]:
    """INSERT INTO or OVERWRITE: a projection is its query's result either way."""
    schema = isinstance(tree.this, exp.Schema)
    names = [column.name for column in tree.this.expressions] if schema else []
    table = tree.this.this if schema else tree.this
    partition = table.args.get("partition")
    fixed = (
        {test.this.name: test.expression for test in partition.expressions} if partition is not None else {}
    )
    return _name(tree.this), _Insert(names, tree.expression, fixed)


def compile_program(
    text: str,
    *,
    emission: Literal["update", "closed"] = "update",
    late: Literal["keep", "drop"] = "keep",
    changelogs: dict[str, Changelog] | None = None,
) -> Program:
    """Check and lower a program. Raises UnsupportedSQL."""
    return ProgramCompiler(emission, late, changelogs).compile(text)
