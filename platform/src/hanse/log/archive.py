"""Topics as Parquet, by offset: what retention may drop afterwards, and a rebuild reads first.

A file `<topic>/<topic id>/<partition>/<first>-<end>.<digest>.parquet` holds the records of the
offsets from `first` to below `end`, gaps included, in the columns of `RECORDS`. It appears whole, by
a rename, and its name carries the start of its SHA-256, which is checked when it is read.
"""

# pyarrow.compute makes its functions at import, unseen by type checkers
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hanse.errors import LogError
from hanse.ports.event_log import RECORDS, EventLog, OffsetRange, TopicInfo

SEGMENT_RECORDS = 1_000_000
SEGMENT_BYTES = 256 * 1024 * 1024
_MERGE_BELOW = SEGMENT_RECORDS // 10
_GROUP = 50_000
_NAME = re.compile(r"(\d{20})-(\d{20})\.([0-9a-f]{32})\.parquet")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the archive: offsets from `first` to below `end`."""

    first: int
    end: int
    digest: str
    path: Path


class Archive:
    """The archive in a folder. Reading needs nothing but the folder; writing takes its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._proved: set[Path] = set()

    def _folder(self, topic: TopicInfo) -> Path:
        return self.path / topic.spec.name / topic.topic_id

    def segments(self, topic: TopicInfo, partition: int) -> list[Segment]:
        """The files of a partition by offset, none of them inside another."""
        folder = self._folder(topic) / str(partition)
        found: list[Segment] = []
        for path in folder.glob("*.parquet"):
            match = _NAME.fullmatch(path.name)
            if match:
                found.append(Segment(int(match[1]), int(match[2]), match[3], path))
        found.sort(key=lambda s: (s.first, -s.end))
        result: list[Segment] = []
        for segment in found:
            if not result or segment.end > result[-1].end:
                result.append(segment)
        return result

    def covered(self, topic: TopicInfo, partition: int) -> list[OffsetRange]:
        """The ranges of offsets that the archive holds without a hole, by offset."""
        ranges: list[OffsetRange] = []
        for segment in self.segments(topic, partition):
            if ranges and segment.first <= ranges[-1].high:
                ranges[-1] = OffsetRange(ranges[-1].low, segment.end)
            else:
                ranges.append(OffsetRange(segment.first, segment.end))
        return ranges

    def holes(self, topic: TopicInfo, ranges: Mapping[int, OffsetRange]) -> dict[int, list[OffsetRange]]:
        """Offsets that neither archive nor log (whose `ranges` are given) has, a partition that lacks any."""
        result: dict[int, list[OffsetRange]] = {}
        for partition, live in ranges.items():
            at, lost = 0, list[OffsetRange]()
            for there in [*self.covered(topic, partition), live]:
                if there.low > at:
                    lost.append(OffsetRange(at, there.low))
                at = max(at, there.high)
            if lost:
                result[partition] = lost
        return result

    def extend(self, log: EventLog, topic: str, until: Mapping[int, int] | None = None) -> dict[int, int]:
        """Archive what is not yet, up to the log's end or `until`; returns the offset archived up to.

        Raises LogError, leaving whole files only, when the disk is full.
        """
        info, ranges = log.topic(topic), log.ranges(topic)
        with self._locked():
            result: dict[int, int] = {}
            for partition, live in ranges.items():
                end = live.high if until is None else min(until.get(partition, live.low), live.high)
                result[partition] = self._extend(log, info, partition, live.low, end)
            return result

    def _extend(self, log: EventLog, info: TopicInfo, partition: int, low: int, end: int) -> int:
        segments = self.segments(info, partition)
        self._sweep(info, partition, segments)
        at = max([low, *(s.end for s in segments)])
        last = segments[-1] if segments else None
        while at < end:
            rows, following = _collect(log, info, partition, at, end)
            if last is not None and last.end == at and last.end - last.first < _MERGE_BELOW:
                rows = pa.concat_tables([self._rows(last), rows])
                written = self._write(info, partition, last.first, following, rows)
                last.path.unlink(missing_ok=True)
            else:
                written = self._write(info, partition, at, following, rows)
            last, at = written, following
        return at

    def _sweep(self, info: TopicInfo, partition: int, kept: list[Segment]) -> None:
        """Remove what a killed archiving left: unfinished files, and files inside larger ones."""
        folder = self._folder(info) / str(partition)
        names = {segment.path.name for segment in kept}
        for path in [*folder.glob(".*.tmp"), *(p for p in folder.glob("*.parquet") if p.name not in names)]:
            if path.suffix == ".tmp" or _NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def _write(self, info: TopicInfo, partition: int, first: int, end: int, rows: pa.Table) -> Segment:
        folder = self._folder(info) / str(partition)
        temporary = folder / f".{first}-{end}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, temporary, compression="zstd", row_group_size=_GROUP)
            digest = _digest(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            path = folder / f"{first:020d}-{end:020d}.{digest}.parquet"
            temporary.rename(path)
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise LogError(
                "the archive could not be written; the log keeps its records",
                where=str(folder),
                got=str(error),
                fix="free space on the disk and archive again",
            ) from error
        return Segment(first, end, digest, path)

    def _file(self, segment: Segment) -> pq.ParquetFile:
        """The segment's file. Raises LogError when it is not what was written."""
        if segment.path not in self._proved:
            found = _digest(segment.path)
            if found != segment.digest:
                raise LogError(
                    "a file of the archive is damaged: it does not match the digest in its name",
                    where=str(segment.path),
                    expected=segment.digest,
                    got=found,
                    fix="restore it from a backup",
                )
            self._proved.add(segment.path)
        return pq.ParquetFile(segment.path, memory_map=True)

    def _rows(self, segment: Segment) -> pa.Table:
        with self._file(segment) as file:
            return file.read().cast(RECORDS)

    def read(
        self, topic: TopicInfo, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> tuple[pa.Table, int]:
        """Rows at and after the offset as far as the archive goes without a hole, and where to read on."""
        for _ in range(5):
            try:
                return self._read(topic, partition, offset, max_records, max_bytes)
            except FileNotFoundError:
                continue  # merged into a larger file meanwhile
        raise LogError("files of the archive vanish while they are read", where=str(self._folder(topic)))

    def _read(
        self, topic: TopicInfo, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> tuple[pa.Table, int]:
        taken: list[pa.Table] = [RECORDS.empty_table()]
        at, left, size = offset, max_records, max_bytes
        for segment in self.segments(topic, partition):
            if segment.end <= at:
                continue
            if segment.first > at or left <= 0 or size <= 0:
                break
            rows, at = self._from(segment, at, left, size)
            taken.append(rows)
            left -= rows.num_rows
            size -= rows.nbytes
        return pa.concat_tables(taken), at

    def _from(self, segment: Segment, offset: int, limit: int, size: int) -> tuple[pa.Table, int]:
        """Rows of one segment; where to read on is its end when all were taken."""
        taken: list[pa.Table] = []
        with self._file(segment) as file:
            for group in range(file.num_row_groups):
                statistics = file.metadata.row_group(group).column(1).statistics
                if statistics is not None and statistics.max < offset:
                    continue
                rows = file.read_row_group(group).cast(RECORDS).combine_chunks()
                start = int(np.searchsorted(rows.column("offset").to_numpy(), offset))
                wanted = rows.slice(start, limit)
                taken.append(wanted)
                limit -= wanted.num_rows
                size -= wanted.nbytes
                if start + wanted.num_rows < rows.num_rows or (
                    (limit <= 0 or size <= 0) and group + 1 < file.num_row_groups
                ):
                    every = pa.concat_tables(taken)
                    return every, int(every.column("offset")[-1].as_py()) + 1
        return (pa.concat_tables(taken) if taken else RECORDS.empty_table()), segment.end

    def first_at(
        self, topic: TopicInfo, partition: int, low: int, high: int, timestamp_ms: int
    ) -> int | None:
        """The first archived offset from `low` to below `high` whose time is at or after the moment."""
        for segment in self.segments(topic, partition):
            if segment.end <= low or segment.first >= high:
                continue
            with self._file(segment) as file:
                table = file.read(columns=["offset", "timestamp"])
            offsets = table.column("offset").to_numpy()
            stamps = table.column("timestamp").cast(pa.int64()).to_numpy()
            hits = np.flatnonzero((stamps >= timestamp_ms) & (offsets >= low) & (offsets < high))
            if len(hits):
                return int(offsets[hits[0]])
        return None

    def forget(self, topic: TopicInfo) -> None:
        """Remove the files of a topic."""
        if self._folder(topic).is_dir():
            with self._locked():
                shutil.rmtree(self._folder(topic))

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """One writer at a time, of all processes."""
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _collect(log: EventLog, info: TopicInfo, partition: int, at: int, end: int) -> tuple[pa.Table, int]:
    """Rows from `at` for one segment, none at or above `end`, and the offset after them."""
    parts: list[pa.Table] = [RECORDS.empty_table()]
    rows = size = 0
    while at < end and rows < SEGMENT_RECORDS and size < SEGMENT_BYTES:
        fetched = log.read(
            info.spec.name,
            {partition: at},
            max_records=min(100_000, end - at),
            timeout_ms=5_000,
            topic_id=info.topic_id,
        )
        following = fetched.next_offsets[partition]
        if following == at:
            raise LogError(
                "the log does not give the records that it says it has",
                where=f"topic {info.spec.name}, partition {partition}, offset {at}",
                fix="see whether the broker is well and archive again",
            )
        part = fetched.rows
        if following > end:
            below = np.asarray(part.column("offset").to_numpy()) < end
            part, following = part.filter(pa.array(below)), end
        parts.append(part)
        rows, size, at = rows + part.num_rows, size + part.nbytes, following
    return pa.concat_tables(parts), at


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
