"""Window table functions, and the filters that closing windows and dropping late rows come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from hanse.sql import dialect as ast
from hanse.sql import traces
from hanse.sql.relation import LOWEST, Column, Relation, refuse, unique_columns
from hanse.sql.temporal import interval, milliseconds
from hanse.sql.types import Type, literal

if TYPE_CHECKING:
    from hanse.sql.query import QueryCompiler

NAMES = ("TUMBLE", "HOP", "CUMULATE", "SESSION")
_ORDER = {
    "TUMBLE": ("DATA", "TIMECOL", "SIZE", "OFFSET"),
    "HOP": ("DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"),
    "SESSION": ("DATA", "TIMECOL", "GAP"),
}


def row_watermark(sources: Iterable[int], ref: str = "", lag: int = 0) -> str:
    """The watermark over `sources` just before a row arrived, `lag` behind, in milliseconds."""
    parts = [f"coalesce({ref}_w[{number + 1}], {LOWEST})" for number in sorted(sources)]
    if not parts:
        return str(LOWEST)
    least = parts[0] if len(parts) == 1 else f"least({', '.join(parts)})"
    return f"({least} - {lag})" if lag else least


def now_watermark(sources: Iterable[int], lag: int = 0) -> str:
    """The watermark over `sources` now, `lag` behind, in milliseconds."""
    numbers = ", ".join(str(number) for number in sorted(sources))
    if not numbers:
        return str(LOWEST)
    behind = f" - {lag}" if lag else ""
    return f"(SELECT min(moment){behind} FROM engine.watermark WHERE source IN ({numbers}))"


def reached(relation: Relation, time: str) -> str:
    """The condition that the watermark has come to a row's `time`; a late row waits for its next step."""
    now = now_watermark(relation.sources, relation.lag)
    return f"{instant(time)} <= {now} AND {row_watermark(relation.sources, lag=relation.lag)} < {now}"


def last_moment(end: str, clock: str) -> str:
    """The last millisecond before a window's `end`, as an instant in milliseconds since the epoch.

    On a wall clock that shows an hour twice it is the later one, and of an hour that the clock leaves
    out the moment of the jump, as Flink sets its timers.
    """
    if not clock:
        return f"{instant(end)} - 1"
    local = f"({end} - INTERVAL 1 MILLISECOND)"
    at = f"timezone({literal(clock)}, {local})"
    jump = f"{instant(at)} - {instant(at)} % 3600000"
    return f"(CASE WHEN timezone({literal(clock)}, {at}) = {local} THEN {instant(at)} ELSE {jump} END)"


def instant(sql: str) -> str:
    """A timestamp in milliseconds since the epoch."""
    return f"epoch_ms({sql})"


def table_function(compiler: QueryCompiler, call: Any) -> Relation:
    """The relation of TUMBLE, HOP, CUMULATE or SESSION. Raises UnsupportedSQL."""
    name = call.name.upper()
    if name not in NAMES:
        raise refuse(f"the table function {name}", call, "use TUMBLE, HOP, CUMULATE or SESSION")
    args = _arguments(name, call)
    data = args["DATA"]
    base = compiler.table_argument(data)
    time_node = args.get("TIMECOL")
    if not isinstance(time_node, exp.Anonymous) or time_node.name.upper() != "DESCRIPTOR":
        raise refuse(f"{name} without DESCRIPTOR", call, "write DESCRIPTOR(event_time_column)")
    wanted = time_node.expressions[0].name
    time = next((column for column in base.columns if column.name == wanted), None)
    if time is None:
        raise refuse(f"the unknown column {wanted}", time_node, "name the event-time column")
    lengths = {key: _length(value) for key, value in args.items() if key not in ("DATA", "TIMECOL")}
    keys = (
        [key.name for key in data.args.get("partition") or []] if isinstance(data, ast.TableArgument) else []
    )
    flat_keys = (
        [key for node in (data.args.get("partition") or []) for key in _key_names(node)] if keys else []
    )
    if name == "HOP" and lengths["SLIDE"] > 0 and lengths["SIZE"] % lengths["SLIDE"]:
        raise refuse("HOP whose size is no multiple of its slide", call, "make it one")
    return assign(compiler, base, name, time, lengths, flat_keys, call)


def _key_names(node: Any) -> list[str]:
    if isinstance(node, exp.Tuple):
        return [item.name for item in node.expressions]
    return [node.name]


def _arguments(name: str, call: Any) -> dict[str, Any]:
    order = _ORDER[name]
    found: dict[str, Any] = {}
    for at, arg in enumerate(call.expressions):
        if isinstance(arg, exp.Kwarg):
            key = str(arg.this.name).upper()
            found[key] = arg.expression
        elif at < len(order):
            found[order[at]] = arg
        else:
            raise refuse(
                f"{name} with {len(call.expressions)} arguments", call, f"{name}({', '.join(order)})"
            )
    missing = [key for key in order if key != "OFFSET" and key not in found]
    if missing:
        raise refuse(f"{name} without {missing[0]}", call, f"{name}({', '.join(order)})")
    if not isinstance(found["DATA"], ast.TableArgument | exp.Subquery):
        raise refuse(f"{name} over an expression", call, f"write {name}(TABLE name, …)")
    return found


def _length(node: Any) -> int:
    sign = 1
    if isinstance(node, exp.Neg):
        node, sign = node.this, -1
    if not isinstance(node, exp.Interval):
        raise refuse("a window length that is no INTERVAL", node, "write INTERVAL '10' MINUTE")
    sql, _ = interval(node)
    length = milliseconds(sql)
    if length is None:
        raise refuse("a window length in months", node, "use days or less: months differ in length")
    return sign * length


def assign(
    compiler: QueryCompiler,
    base: Relation,
    name: str,
    time: Column,
    lengths: dict[str, int],
    keys: list[str],
    node: Any,
) -> Relation:
    """Rows of `base` with their windows: one row for each window that a row is in."""
    if time.role == "proctime":
        raise refuse(
            f"{name} on processing time", node, "use event time: a replay must give the same windows"
        )
    if not time.type.kind.startswith("TIMESTAMP"):
        raise refuse(f"{name} on a {time.type}", node, "use a TIMESTAMP column with a watermark")
    size = lengths.get("SIZE", lengths.get("GAP", 0))
    if size <= 0 or lengths.get("SLIDE", 1) <= 0 or lengths.get("STEP", 1) <= 0:
        raise refuse(f"{name} with a length of zero or less", node, "write a positive INTERVAL")
    if name == "CUMULATE" and size % lengths["STEP"]:
        raise refuse("CUMULATE whose size is no multiple of its step", node, "make it one")
    base, clock, zone = _local_clock(compiler, base, time)
    if name == "SESSION":
        sql = _session(compiler, base, clock, size, keys, zone)
    else:
        sql = _aligned(base, name, instant(clock.sql), clock.sql, size, lengths)
    return traces.aligned(_windowed(base, sql, time, zone), base, keys if name == "SESSION" else None)


def _local_clock(compiler: QueryCompiler, base: Relation, time: Column) -> tuple[Relation, Column, str]:
    """The base with what the session's clock showed at each row, that column, and the clock's zone.

    Windows of instants follow the wall clock of the session's time zone; in UTC there is nothing to turn.
    """
    if time.type.kind != "TIMESTAMP_LTZ" or compiler.zone == "UTC":
        return base, time, "UTC"
    text = f"SELECT *, timezone({literal(compiler.zone)}, {time.sql}) AS _clock FROM ({base.sql})"
    return base.with_sql(text), replace(time, sql="_clock"), compiler.zone


def _aligned(base: Relation, name: str, at: str, time: str, size: int, lengths: dict[str, int]) -> str:
    offset = lengths.get("OFFSET", 0)
    step = {"TUMBLE": size, "HOP": lengths.get("SLIDE", size), "CUMULATE": size}[name]
    start = f"({at} - ((({at} - {offset}) % {step}) + {step}) % {step})"
    if name == "TUMBLE":
        return f"SELECT b.*, {start} AS _ws, {start} + {size} AS _we FROM ({base.sql}) b WHERE {time} IS NOT NULL"
    if name == "HOP":
        count = -(-size // step)
        return (
            f"SELECT b.*, b._ls - o._i * {step} AS _ws, b._ls - o._i * {step} + {size} AS _we FROM "
            f"(SELECT b.*, {start} AS _ls FROM ({base.sql}) b WHERE {time} IS NOT NULL) b, "
            f"(SELECT unnest(range({count})) AS _i) o WHERE b._ls - o._i * {step} > {_ms_ref(at)} - {size}"
        )
    pace = lengths["STEP"]
    return (
        f"SELECT b.*, b._ls AS _ws, b._ls + o._i * {pace} AS _we FROM "
        f"(SELECT b.*, {start} AS _ls FROM ({base.sql}) b WHERE {time} IS NOT NULL) b, "
        f"(SELECT unnest(range(1, {size // pace + 1})) AS _i) o WHERE b._ls + o._i * {pace} > {_ms_ref(at)}"
    )


def _ms_ref(at: str) -> str:
    return at.replace("epoch_ms(", "epoch_ms(b.")


def _session(
    compiler: QueryCompiler, base: Relation, time: Column, gap: int, keys: list[str], zone: str
) -> str:
    """Sessions by replaying each key's rows in order of arrival: what is closed merges no more."""
    columns = {column.name: column.sql for column in base.columns}
    missing = [key for key in keys if key not in columns]
    if missing:
        raise refuse(f"the unknown column {missing[0]}", None, "partition by columns of the table")
    watermark = row_watermark(base.sources, "_b.", base.lag) if compiler.late == "drop" else str(LOWEST)
    if zone != "UTC" and compiler.late == "drop":
        shown = f"timezone({literal(zone)}, make_timestamptz({watermark} * 1000))"
        watermark = f"(CASE WHEN {watermark} > {LOWEST} THEN {instant(shown)} ELSE {LOWEST} END)"
    sign = "_b._k" if base.changelog else "1"
    listed = f"list(struct_pack(t := {instant('_b.' + time.sql)}, w := {watermark}, k := {sign}, r := _b) ORDER BY _b._s)"
    group = ", ".join(f"_b.{columns[key]}" for key in keys)
    grouped = f" GROUP BY {group}" if group else ""
    names = ", ".join(f"_x.r.{column.sql} AS {column.sql}" for column in base.columns)
    hidden = ["_x.r._s AS _s", "_x.r._w AS _w"] + (["_x.r._k AS _k"] if base.changelog else [])
    inner = (
        f"SELECT unnest(_rows) AS _x, unnest(hanse_sessions(list_transform(_rows, lambda e: e.t), "
        f"list_transform(_rows, lambda e: e.w), {gap})) AS _y FROM "
        f"(SELECT {listed} AS _rows FROM ({base.sql}) _b WHERE _b.{time.sql} IS NOT NULL{grouped})"
    )
    return (
        f"SELECT {names}, {', '.join(hidden)}, _y[1] AS _ws, _y[2] AS _we FROM ({inner}) WHERE _y IS NOT NULL"
    )


def _windowed(base: Relation, sql: str, time: Column, zone: str) -> Relation:
    zoned = time.type.kind == "TIMESTAMP_LTZ"
    kind = Type("TIMESTAMP", 3, clock="" if zone == "UTC" else zone)
    named = [(column.name, column.type, column.role) for column in base.columns]
    named = [
        (n, t, r if r not in ("window_start", "window_end", "window_time") else None) for n, t, r in named
    ]
    named += [("window_start", kind, "window_start"), ("window_end", kind, "window_end")]
    named += [("window_time", Type(time.type.kind, 3), "window_time")]
    columns = unique_columns(named)
    old = ", ".join(f"{column.sql} AS {new.sql}" for column, new in zip(base.columns, columns, strict=False))
    start, end, stamp = columns[-3:]
    last = "make_timestamp((_we - 1) * 1000)"
    last = f"timezone({literal(zone)}, {last})" if zoned else last
    hidden = "_s, _w" + (", _k" if base.changelog else "")
    text = (
        f"SELECT {old}, make_timestamp(_ws * 1000) AS {start.sql}, make_timestamp(_we * 1000) AS {end.sql}, "
        f"{last} AS {stamp.sql}, {hidden} FROM ({sql})"
    )
    return replace(base, sql=text, columns=columns, window="assigned")


def late_filter(relation: Relation, sources: Iterable[int], lag: int = 0) -> Relation:
    """The rows whose window was still open when they arrived."""
    end = relation.column("window_end")
    if end is None:
        return relation
    test = f"{last_moment(end.sql, end.type.clock)} > {row_watermark(sources, lag=max(lag, relation.lag))}"
    return relation.with_sql(f"SELECT * FROM ({relation.sql}) WHERE {test}")


def closed_test(end: str, clock: str, sources: Iterable[int], lag: int = 0) -> str:
    """The condition that a window ending at `end` on that clock has closed."""
    return f"{last_moment(end, clock)} <= {now_watermark(sources, lag)}"


def untriggered(relation: Relation, time: str, keys: Iterable[str], sources: Iterable[int]) -> str:
    """The condition that a row is not behind the last row of its key that has already been emitted.

    Flink's sort and bounded OVER drop by the last time that fired, not by the watermark itself.
    """
    # A row that was not late itself and is no later than c's watermark came before c, so one pass in order of
    # time finds the nearest such row. The late rows that it leaves are few, and compared with each other: a late
    # row is emitted at the watermark's next step.
    mark, names = row_watermark(sources, "c.", relation.lag), tuple(keys)
    same = "".join(f" AND e.{key} IS NOT DISTINCT FROM c.{key}" for key in names)
    listed = "".join(f", c.{key} AS {key}" for key in names)
    at = f"epoch_us(c.{time})"
    marked = f"SELECT c._s AS _s, {at} AS _u, {mark} AS _m{listed} FROM ({relation.sql}) c WHERE c.{time} IS NOT NULL"
    late = "_u < (_m + 1) * 1000"
    near = f"_l c ASOF JOIN (SELECT * FROM _marked WHERE NOT {late}) e ON (c._m + 1) * 1000 > e._u{same} WHERE e._u >= c._u"
    rest = "SELECT * FROM _l WHERE _s NOT IN (SELECT _s FROM _near)"
    behind = (
        f"WITH _marked AS MATERIALIZED ({marked}), _l AS MATERIALIZED (SELECT * FROM _marked WHERE {late}), "
        f"_near AS MATERIALIZED (SELECT c._s AS _s FROM {near}), _rest AS MATERIALIZED ({rest}) "
        f"SELECT _s FROM _near UNION ALL "
        f"SELECT c._s FROM _rest c JOIN _rest e ON e._s < c._s AND e._u >= c._u AND e._m < c._m{same}"
    )
    return f"_s NOT IN ({behind})"
