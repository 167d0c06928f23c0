"""The columnar reader: fetches record batches over the wire and decodes them as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from hanse.adapters.kafka.batches import Batch, decode, split
from hanse.adapters.kafka.reader import LOGGER, Buffered
from hanse.adapters.kafka.settings import KafkaSettings
from hanse.adapters.kafka.wire import Connection, Lost, Part
from hanse.errors import HistoryLost, LogError, UnknownTopic
from hanse.ports.event_log import Fetched

_SIZES = (8 * 1024 * 1024, 2 * 1024 * 1024)
_OUT_OF_RANGE, _UNKNOWN = 1, 3
_ELECTION = {5, 6, 56, 74, 76, 78}
_MOVED_S = 30.0
_TOGETHER = 16_384
_PLENTY = 500_000
"""Rows that are enough to have in the buffers, although a partition has none there."""


class ColumnarReader(Buffered):
    """Reads partitions of a topic from their leaders.

    After a full answer, when more is to be expected, a thread fetches and decodes while the rows are used;
    it and `read` never run at the same time.
    """

    def __init__(self, settings: KafkaSettings, topic: str, offsets: Mapping[int, int]) -> None:
        super().__init__(topic, offsets)
        self._settings = settings
        self._fetched = dict(offsets)
        self._connections: dict[int, Connection] = {}
        self._leaders: dict[int, int] = {}
        self._asked: dict[int, tuple[float, float]] = {}
        self._began = 0.0
        self._pause = 0.0
        self._retry_at = 0.0
        self._moved_since: float | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hanse-fetch")
        self._ahead: Future[None] | None = None

    def read(self, max_records: int, timeout_ms: int, ends: Callable[[], Mapping[int, int]]) -> Fetched:
        """See `Reader.read`; where partitions end comes with every fetch, `ends` is not asked."""
        del ends
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.result()
        self._began = time.monotonic()
        self._tails.clear()  # only an answer to what is asked from now on says where the end is
        deadline = self._began + timeout_ms / 1_000
        self._fill(max_records, 0.0)
        while not any(self._buffers.values()):
            left = deadline - time.monotonic()
            if left <= 0 and (self._retry_at or self._all_reached()):
                break
            self._fill(max_records, min(0.5, max(0.001, left)))
        fetched = self._take(max_records)
        if fetched.rows.num_rows == max_records:
            self._ahead = self._thread.submit(self._fill, max_records, 0.0)
        return fetched

    def _fill(self, max_records: int, wait_s: float) -> None:
        buffered = sum(b.num_rows for batches in self._buffers.values() for b in batches)
        if buffered >= max_records and (all(self._buffers.values()) or buffered >= _PLENTY):
            return
        if self._retry_at:
            pause = self._retry_at - time.monotonic()
            if pause > 0:
                time.sleep(min(pause, wait_s))
                if pause > wait_s:
                    return
        try:
            self._round(wait_s)
            self._pause = self._retry_at = 0.0
        except Lost as error:
            LOGGER.warning("reading %s waits for the broker: %s", self.topic, error)
            self._disconnect()
            self._pause = min(max(0.05, self._pause * 2), 5.0)
            self._retry_at = time.monotonic() + self._pause

    def _round(self, wait_s: float) -> None:
        """Ask every leader that is not asked yet, and take what they answer."""
        if not self._leaders:
            self._find_leaders()
        self._ask(wait_s)
        parts: list[Part] = []
        moved: list[Part] = []
        for node, (promised, asked_at) in list(self._asked.items()):
            answer = self._connections[node].receive_fetch(promised)
            del self._asked[node]
            parts += answer
            moved += [p for p in answer if not self._accept(p, fresh=asked_at >= self._began)]
        if moved:
            if self._moved_since is None:
                self._moved_since = time.monotonic()
            elif time.monotonic() - self._moved_since > _MOVED_S:
                raise LogError(
                    "a partition has no leader", where=f"topic {self.topic}", got=f"error {moved[0].error}"
                )
            self._leaders = {}
            raise Lost("a partition's leader is elsewhere now", where=f"topic {self.topic}")
        self._moved_since = None
        if any(part.records for part in parts):
            self._ask(0.01)

    def _ask(self, wait_s: float) -> None:
        wanted: dict[int, dict[int, int]] = {}
        for partition, offset in self._fetched.items():
            wanted.setdefault(self._leaders[partition], {})[partition] = offset
        wait_s = wait_s if len(wanted) == 1 else min(wait_s, 0.05)
        for node, offsets in wanted.items():
            if node not in self._asked:
                self._connections[node].request_fetch(self.topic, offsets, int(wait_s * 1_000), _SIZES)
                self._asked[node] = (wait_s, time.monotonic())

    def _find_leaders(self) -> None:
        self._disconnect()
        found = None
        last: Lost | None = None
        for server in self._settings.servers.split(","):
            host, _, port = server.rpartition(":")
            try:
                bootstrap = Connection(self._settings, host.strip("[]"), int(port))
            except Lost as error:
                last = error
                continue
            try:
                found = bootstrap.metadata(self.topic)
            finally:
                bootstrap.close()
            break
        if found is None:
            raise last or Lost("no broker can be reached", where=self._settings.servers)
        if found.error == _UNKNOWN:
            raise UnknownTopic(f"there is no topic {self.topic!r}", where=self._settings.servers)
        leaders = {p: found.leaders.get(p, -1) for p in self._fetched}
        if any(node not in found.brokers for node in leaders.values()):
            raise Lost("a partition has no leader now", where=f"topic {self.topic}")
        for node in set(leaders.values()):
            self._connections[node] = Connection(self._settings, *found.brokers[node])
        self._leaders = leaders

    def _accept(self, part: Part, fresh: bool) -> bool:
        """Decode a partition's part into the buffer; False when its leader is elsewhere.

        Where the partition ends is believed of a fresh answer only: an older one was waiting here.
        """
        where = f"topic {self.topic}, partition {part.partition}"
        if part.error == _OUT_OF_RANGE:
            raise HistoryLost(
                "records that are to be read are gone from the log, or the topic was made again",
                where=where,
                got=f"offset {self._fetched[part.partition]}",
                fix="rebuild from the archive and the log",
            )
        if part.error in _ELECTION or part.error == _UNKNOWN:
            return False
        if part.error:
            raise LogError("the broker refuses to be read", where=where, got=f"error {part.error}")
        offset = self._fetched[part.partition]
        batches, following = split(part.records, offset, part.aborted, where)
        for group in _groups(batches):
            rows = decode(group, part.partition, offset, where)
            if rows.num_rows:
                self._buffers[part.partition].append(rows)
        self._fetched[part.partition] = following
        if following > offset:
            self._skipped[part.partition] = following
        if fresh and following >= part.end:
            self._tails[part.partition] = following
        return True

    def _disconnect(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections, self._asked, self._leaders = {}, {}, {}

    def close(self) -> None:
        """Leave the brokers."""
        self._thread.shutdown(cancel_futures=True)
        self._disconnect()


def _groups(batches: list[Batch]) -> Iterator[list[Batch]]:
    """Neighbours whose columns stay in the processor's cache together."""
    group: list[Batch] = []
    count = 0
    for batch in batches:
        if group and count + batch.count > _TOGETHER:
            yield group
            group, count = [], 0
        group.append(batch)
        count += batch.count
    if group:
        yield group
