"""What travels with every event: who caused it, when, under which id.

On the log the envelope is a set of CloudEvents headers in binary mode (specification 1.0, Kafka binding).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

SPEC_VERSION = b"1.0"
ORDINAL_BITS = 16
"""`ce_position` is the store position shifted left by this, plus the record's number within its event.

One domain event may become several records of one topic; so each still has a position of its own, which
rises within (source, topic, partition): a reader that drops what is not above its highest drops only repeats.
"""
MAX_ORDINAL = (1 << ORDINAL_BITS) - 1

_MASK_62 = (1 << 62) - 1


class Envelope(NamedTuple):
    """The context of one event. `time` is UTC; ids are text. `event_id` is a UUIDv7."""

    event_id: str
    time: datetime
    correlation_id: str
    causation_id: str
    command_id: str
    traceparent: str | None = None
    user_id: str | None = None
    session_id: str | None = None

    def to_json(self) -> dict[str, str]:
        """The envelope as stored with the event; absent attributes are left out."""
        document = {
            "id": self.event_id,
            "time": self.time.isoformat(),
            "correlation": self.correlation_id,
            "causation": self.causation_id,
            "command": self.command_id,
        }
        if self.traceparent:
            document["traceparent"] = self.traceparent
        if self.user_id:
            document["user"] = self.user_id
        if self.session_id:
            document["session"] = self.session_id
        return document

    @classmethod
    def from_json(cls, document: dict[str, str]) -> Envelope:
        """The envelope of a stored event. Raises KeyError or ValueError when it is not one."""
        return cls(
            document["id"],
            datetime.fromisoformat(document["time"]),
            document["correlation"],
            document["causation"],
            document["command"],
            document.get("traceparent"),
            document.get("user"),
            document.get("session"),
        )


def event_id(command_id: UUID, index: int, time: datetime) -> str:
    """The UUIDv7 (RFC 9562) of the `index`-th event of a command: the same whenever it is derived again."""
    milliseconds = int(time.timestamp() * 1000) & ((1 << 48) - 1)
    random = (command_id.int + index) & _MASK_62
    value = milliseconds << 80 | 7 << 76 | (index & 0xFFF) << 64 | 2 << 62 | random
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def record_position(store_position: int, ordinal: int) -> int:
    """The `ce_position` of an event's record number `ordinal`, from 0."""
    return store_position << ORDINAL_BITS | ordinal


def store_position(position: int) -> int:
    """The position in the store behind a `ce_position`."""
    return position >> ORDINAL_BITS


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)
