"""`hanse log tail`."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.cli.printed import printable
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.log.show import Shown, Viewer
    from hanse.ports.event_log import EventLog
    from hanse.ports.schema_registry import SchemaRegistry

_NEWEST = 10
_PAGE = 10_000
_GROUP_PAGE = 500
"""Records that a member of a group prints before it commits them."""
_WAIT_MS = 500


def tail(
    topic: Annotated[str, typer.Argument(help="The topic's full name: orders.order_placed.")],
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--lines", min=0, help="At most so many: the newest, or with --from or --group the next."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="beginning, end, or a moment such as 2026-11-25T08:00 (UTC)."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Read as a member of this consumer group: members share the partitions, and each record that "
            "was printed is not printed again. A new group begins at --from, else at the beginning."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show a topic's records: keys, headers, and values decoded by their schema."""
    from hanse.bootstrap import Mesh
    from hanse.log.show import Viewer, last_records

    with Mesh.open() as mesh:
        viewer = Viewer(lambda: _registry(mesh, topic))
        if group is not None:
            offsets = _offsets(mesh.log, topic, start or "beginning")
            _as_member(mesh.log, viewer, topic, group, offsets, count, follow, as_json)
            return
        if start is not None:
            offsets = _stream(mesh.log, viewer, topic, _offsets(mesh.log, topic, start), count, as_json)
        else:
            rows, offsets = last_records(mesh.log, topic, _NEWEST if count is None else count)
            _print_all(viewer, rows, as_json)
        if follow:
            _follow(mesh.log, viewer, topic, offsets, as_json)


def _registry(mesh: Mesh, topic: str) -> SchemaRegistry:
    """The registry of the topic; that of the mesh for one that no descriptor knows."""
    from hanse.descriptors import try_load

    found = try_load(mesh.settings.root)[0].topic_on_log(topic)
    return mesh.registry if found is None else mesh.registry_of(found)


def _offsets(log: EventLog, topic: str, start: str) -> dict[int, int]:
    """Where each partition begins."""
    ranges = log.ranges(topic)
    if start == "beginning":
        return {p: r.low for p, r in ranges.items()}
    if start == "end":
        return {p: r.high for p, r in ranges.items()}
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise ConfigError(
            "--from names no place in the topic",
            expected="beginning, end, or a moment such as 2026-11-25T08:00",
            got=start[:60],
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return log.offsets_at(topic, int(moment.timestamp() * 1_000))


def _stream(
    log: EventLog, viewer: Viewer, topic: str, offsets: dict[int, int], count: int | None, as_json: bool
) -> dict[int, int]:
    """Everything up to the present ends, or so many records."""
    ends = {p: r.high for p, r in log.ranges(topic).items()}
    left = count
    while any(offsets[p] < end for p, end in ends.items()) and left != 0:
        limit = _PAGE if left is None else min(_PAGE, left)
        fetched = log.read(topic, offsets, max_records=limit, timeout_ms=5_000)
        if fetched.next_offsets == offsets:
            break
        _print_all(viewer, fetched.rows.to_pylist(), as_json)
        left = None if left is None else left - fetched.rows.num_rows
        offsets = fetched.next_offsets
    return offsets


def _follow(log: EventLog, viewer: Viewer, topic: str, offsets: dict[int, int], as_json: bool) -> None:
    """Until interrupted."""
    with _until_interrupted() as ended:
        while not ended.is_set():
            fetched = log.read(topic, offsets, max_records=_PAGE, timeout_ms=_WAIT_MS)
            _print_all(viewer, fetched.rows.to_pylist(), as_json)
            offsets = fetched.next_offsets


def _as_member(
    log: EventLog,
    viewer: Viewer,
    topic: str,
    group: str,
    offsets: dict[int, int],
    count: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print and then commit, page by page: an interrupt ends behind a page that is committed."""
    member = log.join_group(topic, group, offsets)
    left = count
    try:
        with _until_interrupted() as ended:
            while not ended.is_set() and left != 0:
                limit = _GROUP_PAGE if left is None else min(_GROUP_PAGE, left)
                rows = member.poll(limit, _WAIT_MS)
                _print_all(viewer, rows.to_pylist(), as_json)
                if rows.num_rows:
                    member.commit()
                    left = None if left is None else left - rows.num_rows
                elif not follow and member.caught_up:
                    return
    finally:
        member.close()


@contextmanager
def _until_interrupted() -> Generator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that what was begun is finished."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        ended.set()

    if threading.current_thread() is not threading.main_thread():
        yield ended
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_all(viewer: Viewer, rows: Iterable[dict[str, Any]], as_json: bool) -> None:
    for row in rows:
        _print(viewer.show(row), as_json)
    sys.stdout.flush()


def _print(record: Shown, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record.as_dict(), ensure_ascii=False))
        return
    place = typer.style(f"{record.partition}:{record.offset}", fg="cyan")
    when = record.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
    value = record.value if isinstance(record.value, str) else json.dumps(record.value, ensure_ascii=False)
    note = typer.style(f"  [{record.note}]", fg="yellow") if record.note else ""
    shown = "" if record.value is None and record.note else value
    key = "(no key)" if record.key is None else record.key
    typer.echo(f"{place}  {when}  {printable(key)}  {printable(shown)}{note}")
    if record.headers:
        headers = "  ".join(f"{printable(name)}={printable(text)}" for name, text in record.headers.items())
        typer.echo("    " + typer.style(headers, dim=True))
