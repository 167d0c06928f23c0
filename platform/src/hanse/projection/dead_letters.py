"""Records that cannot be read, set aside in `<topic>.dead-letter` with the reason and their origin.

They are produced before the batch commits, so a crash in between sends them again: at least once. Each
carries an id made of its origin (topic identity, partition, offset), the same whenever it is sent again and
whichever product sent it; `letters` shows, and `replay` sends back, each id once. A replayed record has the
source `dead-letter:<id>` and position 1, so a product that took it drops it when it comes again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hanse.errors import LogError, UnknownTopic
from hanse.ports.event_log import EventLog, Record, TopicSpec
from hanse.projection.dedup import POSITION, SOURCE
from hanse.wire.decoded import Poison

SUFFIX = ".dead-letter"
PREFIX = "hanse_dead_letter_"
_PAGE = 10_000
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A record set aside: where it was, why it cannot be read, and its bytes as they were."""

    id: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    reason: str
    exception: str
    product: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter_topic(topic: str) -> str:
    """The topic that takes the topic's unreadable records."""
    return topic + SUFFIX


def letter_id(topic_id: str, partition: int, offset: int) -> str:
    """The id of a record by where it was: 32 hexadecimal digits."""
    return hashlib.sha256(f"{topic_id}/{partition}/{offset}".encode()).hexdigest()[:32]


def letters_of(
    rows: pa.Table, poison: Sequence[Poison], topic: str, topic_id: str, product: str
) -> list[Record]:
    """The records for the dead-letter topic, one a poisoned row of the batch."""
    made: list[Record] = []
    for item in poison:
        row: dict[str, Any] = rows.slice(item.row, 1).to_pylist()[0]
        own = {
            "id": letter_id(topic_id, row["partition"], row["offset"]),
            "topic": topic,
            "partition": str(row["partition"]),
            "offset": str(row["offset"]),
            "timestamp": str(_millis(row["timestamp"])),
            "reason": item.reason,
            "exception": item.exception,
            "product": product,
            "tombstone": "true" if row["value"] is None else "",
        }
        extra = tuple((PREFIX + name, text.encode()) for name, text in own.items() if text)
        before = _headers(row["headers"])
        made.append(Record(row["value"] or b"", row["key"], (*before, *extra), partition=0))
    return made


def send(log: EventLog, topic: str, records: Sequence[Record]) -> None:
    """Append to the topic's dead letters, which are made when they are not there."""
    name = dead_letter_topic(topic)
    log.create_topic(TopicSpec(name, partitions=1))
    log.produce(name, records)


def letters(log: EventLog, topic: str) -> Iterator[Letter]:
    """The topic's dead letters, oldest first, each id once; none when there never was one."""
    name = topic if topic.endswith(SUFFIX) else dead_letter_topic(topic)
    try:
        ranges = log.ranges(name)
    except UnknownTopic:
        return
    offsets = {partition: r.low for partition, r in ranges.items()}
    seen: set[str] = set()
    while any(offsets[p] < r.high for p, r in ranges.items()):
        fetched = log.read(name, offsets, max_records=_PAGE, timeout_ms=1_000)
        if fetched.next_offsets == offsets:
            raise LogError("the log gives nothing before its end", where=f"topic {name}")
        offsets.update(fetched.next_offsets)
        for row in fetched.rows.to_pylist():
            letter = _letter(row)
            if letter is not None and letter.id not in seen:
                seen.add(letter.id)
                yield letter


def find(log: EventLog, topic: str, wanted: str) -> Letter:
    """The dead letter of that id, or of the one id that begins so. Raises LogError."""
    found = [letter for letter in letters(log, topic) if letter.id.startswith(wanted)]
    if len(found) != 1:
        raise LogError(
            f"{'no' if not found else 'more than one'} dead letter has the id {wanted!r}",
            where=f"topic {dead_letter_topic(topic)}",
            fix=f"hanse log dead-letter list {topic}",
        )
    return found[0]


def replay(log: EventLog, chosen: Sequence[Letter]) -> int:
    """Send dead letters back to the partition they came from, with their own bytes; returns how many."""
    by_topic: dict[str, list[Record]] = {}
    for letter in chosen:
        kept = tuple(h for h in letter.headers if h[0] not in (SOURCE, POSITION))
        mark = ((SOURCE, f"dead-letter:{letter.id}".encode()), (POSITION, b"1"))
        record = Record(letter.value, letter.key, (*kept, *mark), letter.timestamp_ms, letter.partition)
        by_topic.setdefault(letter.topic, []).append(record)
    for topic, records in by_topic.items():
        log.produce(topic, records)
    return len(chosen)


def _letter(row: dict[str, Any]) -> Letter | None:
    headers = _headers(row["headers"])
    own = {n.removeprefix(PREFIX): v.decode("utf-8", "replace") for n, v in headers if n.startswith(PREFIX)}
    try:
        return Letter(
            id=own["id"],
            topic=own["topic"],
            partition=int(own["partition"]),
            offset=int(own["offset"]),
            timestamp_ms=int(own["timestamp"]),
            reason=own["reason"],
            exception=own.get("exception", ""),
            product=own.get("product", ""),
            key=row["key"],
            value=None if "tombstone" in own else row["value"],
            headers=tuple(h for h in headers if not h[0].startswith(PREFIX)),
        )
    except (KeyError, ValueError):
        return None  # not written by a projector: nothing to show or to send back


def _headers(entries: list[dict[str, Any]] | None) -> Headers:
    return tuple((e["name"] or "", e["value"] or b"") for e in entries or [])


def _millis(moment: Any) -> int:
    return round(moment.timestamp() * 1000)
