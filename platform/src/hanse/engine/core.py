"""The engine: a program kept up to date over state tables in a caller's DuckDB connection."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from hanse.engine.arrow import arrow_type
from hanse.engine.difference import SMALL, Difference
from hanse.engine.incremental import Appending, Grouping, Maintainer, Replacing
from hanse.engine.info import EngineError, SinkInfo, SourceInfo
from hanse.engine.state import State, first_row
from hanse.engine.universal import Universal
from hanse.sql import expiry
from hanse.sql.catalog import Changelog, Source
from hanse.sql.differential import Differential
from hanse.sql.incremental import Grouped, Stateless
from hanse.sql.program import Program, Sink, compile_program
from hanse.sql.sessions import sessions

if TYPE_CHECKING:
    import duckdb

Emission = Literal["update", "closed"]
Late = Literal["keep", "drop"]
_FUNCTIONS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "hanse_sessions": (sessions, ["BIGINT[]", "BIGINT[]", "BIGINT"]),
    expiry.NAME: (expiry.expiry, ["BIGINT[]", "BIGINT[]", "BIGINT[]", "BIGINT[]", "BIGINT", "BIGINT"]),
}
"""What queries call that DuckDB lacks: the function and the types it takes."""


class Engine:
    """A program over `con`, whose state it creates or reopens.

    `emission` is `update` (open windows are shown and change) or `closed` (a window is shown once the
    watermark has passed its end); `late` says whether rows behind the watermark count. With `defer`
    results are brought up to date when they are asked for instead of after each batch; without `fast`
    every sink is recomputed, which is how the law tests check the incremental forms. `small` is the number
    of rows of state up to which joins and groups are recomputed rather than changed; 0 always changes them.
    Raises UnsupportedSQL when the program is outside the language, EngineError when the state belongs
    to another program.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        program: str,
        *,
        emission: Emission = "update",
        late: Late = "keep",
        defer: bool = False,
        fast: bool = True,
        small: int = SMALL,
    ) -> None:
        self.con = con
        self.text = program
        self.emission: Emission = emission
        self.late: Late = late
        self.defer = defer
        self.fast = fast
        self.small = small
        compiled = compile_program(program, emission=emission, late=late)
        texts = "".join(sink.relation.sql for sink in compiled.sinks.values())
        for name in _FUNCTIONS:
            if name in texts:
                self._register(name)
        self._open(compiled)

    def _register(self, name: str) -> None:
        known = first_row(self.con, "SELECT 1 FROM duckdb_functions() WHERE function_name = ?", [name])
        if known is None:
            con: Any = self.con
            function, takes = _FUNCTIONS[name]
            con.create_function(name, function, takes, "BIGINT[][]", null_handling="special")

    def _open(self, compiled: Program) -> None:
        state = State(self.con, compiled.catalog)
        state.create_base()
        digest = hashlib.sha256(f"{self.emission}/{self.late}/{self.text}".encode()).hexdigest()
        stored = state.fact("program")
        if stored is None:
            state.set_fact("program", digest)
        elif stored != digest:
            raise EngineError(
                "the state belongs to another program",
                expected=stored[:12],
                got=digest[:12],
                fix="rebuild the product, or give back the text it was made with",
            )
        self._compile(compiled)
        if stored is None:
            self._mark(list(self.maintainers))
            if not self.defer:
                self.refresh()

    def _compile(self, compiled: Program) -> None:
        changelogs: dict[str, Changelog] = {
            str(name)[10:]: value
            for name, value in self.con.execute(
                "SELECT name, value FROM engine.fact WHERE name LIKE 'changelog:%'"
            ).fetchall()
        }
        if changelogs:
            compiled = compile_program(
                self.text, emission=self.emission, late=self.late, changelogs=changelogs
            )
        self.program: Program = compiled
        self.state = State(self.con, self.program.catalog, marks=self.late == "drop")
        self.maintainers: dict[str, Maintainer] = {}
        sinks = list(enumerate(self.program.sinks.values()))
        for number, sink in sinks:
            self.maintainers[sink.name] = self._maintainer(sink, number)
        for number, sink in sinks:
            reads = [s for s in self.program.catalog.sources.values() if s.number in sink.sources]
            found = self.maintainers[sink.name]
            latest = found.plan.latest if isinstance(found, Difference) else frozenset[int]()
            needed = [s for s in reads if found.needs_latest or s.number in latest]
            if any(self._keeps_log(source) for source in needed):
                self.maintainers[sink.name] = Universal(self.con, self.state, sink, number)
        for maintainer in self.maintainers.values():
            maintainer.create()
        for source in self.program.catalog.sources.values():
            self.state.create_source(source, stored=self._is_stored(source))

    def _maintainer(self, sink: Sink, number: int) -> Maintainer:
        plan = sink.incremental if self.fast else None
        if isinstance(plan, Grouped):
            return Grouping(self.con, self.state, sink, number, plan)
        if isinstance(plan, Stateless):
            replacing = bool(sink.primary_key) or plan.source.changelog == "upsert"
            return (Replacing if replacing else Appending)(self.con, self.state, sink, number, plan)
        if isinstance(plan, Differential):
            return Difference(self.con, self.state, sink, number, plan, self.small, defer=self.defer)
        return Universal(self.con, self.state, sink, number)

    def _users(self, source: Source) -> list[Maintainer]:
        return [m for m in self.maintainers.values() if source.number in m.sink.sources]

    def _keeps_log(self, source: Source) -> bool:
        """Every row that came is kept, for maintainers that read history."""
        history = any(m.needs_history for m in self._users(source))
        return history and not (source.declared and source.changelog == "upsert" and not source.log_needed)

    def _keeps_latest(self, source: Source) -> bool:
        """Only the current row of each key is kept."""
        if source.changelog != "upsert" or self._keeps_log(source):
            return False
        return any(m.needs_latest or m.needs_history for m in self._users(source))

    def _is_stored(self, source: Source) -> bool:
        return self._keeps_log(source) or self._keeps_latest(source)

    # what there is

    @property
    def sources(self) -> dict[str, SourceInfo]:
        """The sources by name."""
        found: dict[str, SourceInfo] = {}
        for source in self.program.catalog.sources.values():
            columns = tuple((c.name, arrow_type(c.type)) for c in source.columns if c.name in source.physical)
            found[source.name] = SourceInfo(source.name, columns, source.primary_key, source.changelog)
        return found

    @property
    def sinks(self) -> dict[str, SinkInfo]:
        """The sinks by name."""
        found: dict[str, SinkInfo] = {}
        for sink in self.program.sinks.values():
            columns = tuple((column.name, column.type.duckdb) for column in sink.columns)
            append = self.maintainers[sink.name].output_table is None and not sink.primary_key
            found[sink.name] = SinkInfo(sink.name, columns, sink.primary_key, append)
        return found

    def late_rows(self, source: str) -> str | None:
        """The table of a source's rows that came behind its watermark: `_seq` (arrival), `_watermark` (ms), columns.

        A late row may still count in a window that is open. None where late rows are kept in the results.
        """
        found = self.find_source(source)
        return found.late_table if self.late == "drop" and found.watermark else None

    # rows in

    def feed(self, source: str, rows: pa.Table, kinds: Sequence[str] | None = None) -> None:
        """Take a batch of a source's rows, in order of arrival, inside the caller's transaction.

        `kinds` are +I, -U, +U or -D a row; without them all are inserts. Raises EngineError.
        """
        found = self.find_source(source)
        if rows.num_rows == 0:
            return
        if kinds is not None and found.changelog == "append" and any(kind != "+I" for kind in kinds):
            self._turn(found)
            found = self.find_source(source)
        first = self.state.take("arrival", rows.num_rows)
        reached = self.state.watermarks()
        staged = self.state.stage(found, rows, kinds, first, reached)
        behind = self._store(found, staged)
        self.con.unregister("_hanse_batch")
        if found.watermark:
            batch = "_hanse_rows" if found.changelog == "upsert" else "_hanse_delta"
            row = first_row(self.con, f"SELECT max({found.watermark}) FROM {batch}")
            if self.late == "drop":
                self.state.keep_late(found, batch)
            if row is not None and row[0] is not None and row[0] > reached[found.number]:
                self.state.advance(found.number, int(row[0]))
        self._mark(behind)
        if not self.defer:
            self.refresh()

    def _store(self, source: Source, staged: str) -> list[str]:
        """Keep the staged rows as maintainers need them, let these take the batch; returns the sinks left behind."""
        self.state.delta(source, staged, latest=self._keeps_latest(source))
        if self._keeps_log(source):
            rows = (
                "* FROM _hanse_rows" if source.changelog == "upsert" else "* EXCLUDE (_k) FROM _hanse_delta"
            )
            self.con.execute(f"INSERT INTO {source.table} SELECT {rows}")
        dirty = self._dirty()
        waits = {m.sink.name for m in self._users(source) if m.needs_history} & dirty
        return [m.sink.name for m in self._users(source) if m.sink.name not in waits and m.apply(source)]

    def find_source(self, name: str) -> Source:
        """The source of that name, or of that last part of a dotted name. Raises EngineError."""
        sources = self.program.catalog.sources
        if name in sources:
            return sources[name]
        tails = [source for key, source in sources.items() if key.split(".")[-1] == name.split(".")[-1]]
        if len(tails) != 1:
            raise EngineError(f"no source is called {name}", expected=", ".join(sources) or "none", got=name)
        return tails[0]

    def _turn(self, source: Source) -> None:
        """A source that was assumed to only grow changes rows: lower the program again."""
        if source.declared:
            raise EngineError(
                f"the source {source.name} is declared append-only, but a row changes or deletes",
                fix="declare 'changelog-mode' = 'I,UA,D' (keyed) or 'I,UB,UA,D'",
            )
        self.state.set_fact(f"changelog:{source.name}", "upsert" if source.primary_key else "retract")
        self._compile(self.program)

    def end_of_input(self) -> None:
        """No more rows will come: every window closes."""
        self.state.end()
        self._mark([name for name, maintainer in self.maintainers.items() if maintainer.timed])
        if not self.defer:
            self.refresh()

    # results out

    def _dirty(self) -> set[str]:
        rows = self.con.execute("SELECT value FROM engine.fact WHERE name = 'dirty'").fetchall()
        return {str(row[0]) for row in rows}

    def _mark(self, sinks: list[str]) -> None:
        for name in set(sinks) - self._dirty():
            self.con.execute("INSERT INTO engine.fact VALUES ('dirty', ?)", [name])

    @property
    def behind(self) -> bool:
        """Whether a sink waits for `refresh`."""
        return bool(self._dirty())

    def refresh(self) -> None:
        """Bring every sink that fell behind up to date."""
        dirty = self._dirty()
        for name, maintainer in self.maintainers.items():
            if name in dirty:
                maintainer.refresh()
        if dirty:
            self.con.execute("DELETE FROM engine.fact WHERE name = 'dirty'")

    def _sink(self, name: str) -> Maintainer:
        if name not in self.maintainers:
            raise EngineError(f"no sink is called {name}", expected=", ".join(self.maintainers), got=name)
        return self.maintainers[name]

    def changes(self, sink: str) -> str:
        """The table of changes that the publisher has yet to take: _op, _seq, then the sink's columns."""
        found = self._sink(sink)
        self.refresh()
        return found.changes_table

    def output(self, sink: str) -> str | None:
        """The relation of the sink's current rows; None when an append-only sink keeps none."""
        found = self._sink(sink)
        self.refresh()
        return found.output_table

    def explain(self) -> str:
        """The plan: per sink its mode, operators, state tables and SQL."""
        lines: list[str] = []
        for name, maintainer in self.maintainers.items():
            lines.append(f"sink {name}")
            lines += [f"  {line}" for line in maintainer.explain()]
            for source in self.program.catalog.sources.values():
                if source.number in maintainer.sink.sources:
                    kept = f"kept in {source.table}" if self._is_stored(source) else "not kept"
                    lines.append(f"  source {source.name}: {source.changelog}, {kept}")
            lines.append(f"  sql: {maintainer.sink.relation.sql}")
        return "\n".join(lines)
