"""Consumer groups of the embedded log: committed offsets, and who holds which partition, beside the records.

A member renews its mark at each poll. It claims its share of the partitions, by the order of the members'
names, as far as nobody holds them; one that did not poll for `EXPIRES_MS` has left. Between polls a member
keeps what it holds, so that no record is given twice while nobody stalls or dies.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pyarrow as pa

from hanse.errors import LogError
from hanse.log.rows import now_ms
from hanse.ports.event_log import RECORDS, EventLog

EXPIRES_MS = 10_000
_TABLES = """
CREATE TABLE IF NOT EXISTS group_members (
    topic TEXT NOT NULL, name TEXT NOT NULL, member TEXT NOT NULL, seen_ms INTEGER NOT NULL,
    PRIMARY KEY (topic, name, member)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS group_offsets (
    topic TEXT NOT NULL, name TEXT NOT NULL, partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, holder TEXT,
    PRIMARY KEY (topic, name, partition)
) WITHOUT ROWID
"""
Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]


class SqliteGroupReader:
    """`GroupReader` on the embedded log. Offsets belong to the topic's identity."""

    def __init__(
        self, log: EventLog, writing: Writing, topic: str, group: str, start: Mapping[int, int]
    ) -> None:
        self.log = log
        self.topic = topic
        self.group = group
        self.member = uuid.uuid4().hex
        self.topic_id = log.topic(topic).topic_id
        self._writing = writing
        self._place = (self.topic_id, group)
        self._positions: dict[int, int] = {}
        self._share_of_mine: set[int] | None = None
        begin = {p: start.get(p, r.low) for p, r in log.ranges(topic).items()}
        with writing() as con:
            for statement in _TABLES.split(";\n"):
                con.execute(statement)
            con.executemany(
                "INSERT OR IGNORE INTO group_offsets VALUES (?, ?, ?, ?, NULL)",
                [(*self._place, p, offset) for p, offset in begin.items()],
            )

    def poll(self, max_records: int, timeout_ms: int) -> pa.Table:
        """See the port."""
        self._share()
        if not self._positions:
            self.log.read(self.topic, {}, timeout_ms=timeout_ms, topic_id=self.topic_id)
            return RECORDS.empty_table()
        fetched = self.log.read(
            self.topic,
            self._positions,
            max_records=max_records,
            timeout_ms=timeout_ms,
            topic_id=self.topic_id,
        )
        self._positions = dict(fetched.next_offsets)
        return fetched.rows

    def _share(self) -> None:
        """Renew the mark, let go what others are to have, take what is free and ours."""
        moment = now_ms()
        with self._writing() as con:
            con.execute(
                "INSERT OR REPLACE INTO group_members VALUES (?, ?, ?, ?)",
                (*self._place, self.member, moment),
            )
            con.execute(
                "DELETE FROM group_members WHERE topic = ? AND name = ? AND seen_ms < ?",
                (*self._place, moment - EXPIRES_MS),
            )
            con.execute(
                "UPDATE group_offsets SET holder = NULL WHERE topic = ? AND name = ? AND holder NOT IN"
                " (SELECT member FROM group_members WHERE topic = ? AND name = ?)",
                (*self._place, *self._place),
            )
            ours = self._ours(con)
            rows = con.execute(
                "SELECT partition, next_offset, holder FROM group_offsets WHERE topic = ? AND name = ?",
                self._place,
            ).fetchall()
            for partition, _, holder in rows:
                wanted = self.member if partition in ours else None
                if holder in (None, self.member) and holder != wanted:
                    con.execute(
                        "UPDATE group_offsets SET holder = ? WHERE topic = ? AND name = ? AND partition = ?",
                        (wanted, *self._place, partition),
                    )
        self._share_of_mine = ours
        held: dict[int, int] = {
            p: offset for p, offset, holder in rows if p in ours and holder in (None, self.member)
        }
        lows = {p: r.low for p, r in self.log.ranges(self.topic).items()}
        self._positions = {p: max(self._positions.get(p, offset), lows[p]) for p, offset in held.items()}

    def _ours(self, con: sqlite3.Connection) -> set[int]:
        found = con.execute(
            "SELECT member FROM group_members WHERE topic = ? AND name = ? ORDER BY member", self._place
        )
        members = [member for (member,) in found]
        mine = members.index(self.member)
        partitions = self.log.topic(self.topic).spec.partitions
        return {p for p in range(partitions) if p % len(members) == mine}

    def commit(self) -> None:
        """See the port."""
        with self._writing() as con:
            moved = con.executemany(
                "UPDATE group_offsets SET next_offset = ?"
                " WHERE topic = ? AND name = ? AND partition = ? AND holder = ?",
                [(offset, *self._place, p, self.member) for p, offset in self._positions.items()],
            ).rowcount
        if moved < len(self._positions):
            raise LogError(
                "the offsets are not committed: their records may be read again",
                where=f"topic {self.topic}, group {self.group}",
                got=f"this member was away for more than {EXPIRES_MS / 1_000:g} s, and others took its partitions",
            )

    @property
    def caught_up(self) -> bool:
        """See the port."""
        if self._share_of_mine is None:
            return False
        ranges = self.log.ranges(self.topic)
        return all(self._positions.get(p, -1) >= ranges[p].high for p in self._share_of_mine)

    def close(self) -> None:
        """See the port."""
        with self._writing() as con:
            con.execute(
                "UPDATE group_offsets SET holder = NULL WHERE topic = ? AND name = ? AND holder = ?",
                (*self._place, self.member),
            )
            con.execute(
                "DELETE FROM group_members WHERE topic = ? AND name = ? AND member = ?",
                (*self._place, self.member),
            )
