"""A log and its archive as one history: what retention dropped is read from Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from hanse.errors import HistoryLost, LogError
from hanse.log.archive import Archive
from hanse.ports.event_log import EventLog, Fetched, GroupReader, OffsetRange, Record, TopicInfo, TopicSpec

_READ_BYTES = 64 * 1024 * 1024


class ArchivedLog:
    """The `EventLog` port over another adapter, reading below its low marks from an archive.

    A range starts where the archive does, when archive and log meet; with a hole between them it
    starts where the log does, and reading below raises HistoryLost as the log itself does.
    """

    def __init__(self, log: EventLog, archive: Archive) -> None:
        self.log = log
        self.archive = archive
        self._lows: dict[str, dict[int, int]] = {}

    def create_topic(self, spec: TopicSpec) -> TopicInfo:
        """See the port."""
        return self.log.create_topic(spec)

    def topic(self, name: str) -> TopicInfo:
        """See the port."""
        return self.log.topic(name)

    def topics(self) -> list[TopicInfo]:
        """See the port."""
        return self.log.topics()

    def delete_topic(self, name: str) -> None:
        """Remove the topic, its records and their archive. Raises UnknownTopic."""
        info = self.log.topic(name)
        self.log.delete_topic(name)
        self.archive.forget(info)
        self._lows.pop(name, None)

    def produce(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        """See the port."""
        return self.log.produce(topic, records)

    def produce_table(self, topic: str, rows: pa.Table) -> dict[int, OffsetRange]:
        """See the port."""
        return self.log.produce_table(topic, rows)

    def read(
        self,
        topic: str,
        offsets: Mapping[int, int],
        *,
        max_records: int = 100_000,
        timeout_ms: int = 0,
        topic_id: str | None = None,
    ) -> Fetched:
        """See the port; rows from the archive come first."""
        for _ in range(3):
            lows = self._lows.get(topic, {})
            old = {p: o for p, o in offsets.items() if 0 <= o < lows.get(p, 0)}
            try:
                if old:
                    return self._read_both(topic, offsets, old, max_records, topic_id)
                return self.log.read(
                    topic, offsets, max_records=max_records, timeout_ms=timeout_ms, topic_id=topic_id
                )
            except HistoryLost:
                if not self._moved(topic):
                    raise
        raise LogError("retention outruns the reader", where=f"topic {topic}")

    def _moved(self, topic: str) -> bool:
        """Look at the log's low marks again; whether they are others than those known."""
        lows = {p: r.low for p, r in self.log.ranges(topic).items()}
        if lows == self._lows.get(topic):
            return False
        self._lows[topic] = lows
        return any(lows.values())

    def _read_both(
        self,
        topic: str,
        offsets: Mapping[int, int],
        old: dict[int, int],
        max_records: int,
        topic_id: str | None,
    ) -> Fetched:
        info = self.log.topic(topic)
        if topic_id is not None and info.topic_id != topic_id:
            raise HistoryLost(
                f"topic {topic} was deleted and made again",
                expected=f"topic id {topic_id}",
                got=info.topic_id,
                fix="rebuild what was read from the old topic",
            )
        tables: list[pa.Table] = []
        following = dict(offsets)
        share = max(1, max_records // len(offsets))
        left = max_records
        for partition, offset in old.items():
            if left <= 0:
                break
            rows, following[partition] = self._old(info, partition, offset, min(share, left), len(old))
            tables.append(rows)
            left -= rows.num_rows
        live = {p: o for p, o in offsets.items() if p not in old}
        if live and left > 0:
            fetched = self.log.read(topic, live, max_records=min(left, share * len(live)), topic_id=topic_id)
            tables.append(fetched.rows)
            following |= fetched.next_offsets
        return Fetched(pa.concat_tables(tables), following)

    def _old(
        self, info: TopicInfo, partition: int, offset: int, limit: int, readers: int
    ) -> tuple[pa.Table, int]:
        rows, following = self.archive.read(info, partition, offset, limit, _READ_BYTES // readers)
        if following == offset:
            raise HistoryLost(
                "records that are to be read are gone from the log and not in the archive",
                where=f"topic {info.spec.name}, partition {partition}, {self.archive.path}",
                expected=f"offset {offset} in the archive or the log",
                got=f"archived: {_text(self.archive.covered(info, partition))}",
                fix="restore the archive, or rebuild from what is left and say so",
            )
        return rows, following

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        """Per partition, what can be read now, the archive included."""
        info = self.log.topic(topic)
        return {p: OffsetRange(self._low(info, p, r), r.high) for p, r in self.log.ranges(topic).items()}

    def _low(self, info: TopicInfo, partition: int, live: OffsetRange) -> int:
        if live.low == 0:
            return 0
        joined = (r for r in self.archive.covered(info, partition) if r.low <= live.low <= r.high)
        return next((r.low for r in joined), live.low)

    def holes(self, topic: str) -> dict[int, list[OffsetRange]]:
        """Offsets that are in neither, a partition that lacks any: history that no rebuild can read.

        Compacted topics have none by definition.
        """
        info = self.log.topic(topic)
        if info.spec.cleanup == "compact":
            return {}
        return self.archive.holes(info, self.log.ranges(topic))

    def offsets_at(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        """See the port."""
        info, live = self.log.topic(topic), self.log.ranges(topic)
        result = self.log.offsets_at(topic, timestamp_ms)
        for partition, there in live.items():
            low = self._low(info, partition, there)
            if low < there.low:
                found = self.archive.first_at(info, partition, low, there.low, timestamp_ms)
                result[partition] = result[partition] if found is None else found
        return result

    def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, OffsetRange]:
        """Drop records from the log (not from the archive); returns the ranges with the archive."""
        self.log.trim(topic, before)
        return self.ranges(topic)

    def join_group(self, topic: str, group: str, start: Mapping[int, int]) -> GroupReader:
        """See the port; groups read the log alone, not the archive."""
        lows = {p: r.low for p, r in self.log.ranges(topic).items()}
        return self.log.join_group(topic, group, {p: max(o, lows.get(p, 0)) for p, o in start.items()})

    def close(self) -> None:
        """Close the log."""
        self.log.close()


def _text(ranges: list[OffsetRange]) -> str:
    return ", ".join(f"{r.low} to {r.high}" for r in ranges) or "nothing"
