"""Between events with their envelopes and the bytes in the store; upcasts what older code wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from hanse.domain.codec import Cipher, as_stored, decoder, encoder, has_personal
from hanse.domain.messages import Event
from hanse.errors import DecodeError, StoreError
from hanse.model.envelope import Envelope

if TYPE_CHECKING:
    from hanse.domain.application import Application
    from hanse.domain.subjects import SubjectKeys
    from hanse.ports.event_store import StoredEvent


class EventSerializer:
    """Writes and reads the stored form of an application's events: JSON of version, envelope and body.

    Without keys, personal texts stay the ciphertexts that they are; such a serializer cannot write them.
    """

    def __init__(self, application: Application, keys: SubjectKeys | None = None) -> None:
        self._application = application
        self._keys = keys

    def write(self, event: Event, envelope: Envelope) -> bytes:
        """The bytes to store. Raises SubjectForgotten when the event tells of a person who was forgotten."""
        cls = type(event)
        body = encoder(cls)(event, self._encrypt(event)) if has_personal(cls) else event
        return orjson.dumps({"v": cls.event_version, "meta": envelope.to_json(), "body": body}, default=str)

    def read(self, stored: StoredEvent) -> tuple[Event, Envelope]:
        """The event and its envelope. Raises StoreError, naming the place, when they cannot be read."""
        cls = self._application.events.get(stored.type)
        if cls is None:
            raise StoreError(
                f"no event class reads the stored type {stored.type!r}",
                where=_place(stored),
                expected=", ".join(sorted(self._application.events)),
                fix="a renamed event keeps its old name: @event(…, formerly=('OldName',))",
            )
        try:
            document = orjson.loads(stored.state)
            body = _upcast(cls, document["v"], document["body"])
            event: Event = decoder(cls)(body, self._decrypt(cls, body))
            return event, Envelope.from_json(document["meta"])
        except (ValueError, KeyError, TypeError, ArithmeticError, DecodeError, StoreError) as error:
            raise StoreError(
                f"a stored {stored.type} cannot be read", where=_place(stored), got=str(error)
            ) from error

    def _encrypt(self, event: Event) -> Cipher:
        if self._keys is None:
            raise StoreError(f"{type(event).event_name} has personal fields and no keys were given")
        return partial(self._keys.encrypt, getattr(event, type(event).subject_field or ""))

    def _decrypt(self, cls: type[Event], body: dict[str, Any]) -> Cipher:
        if self._keys is None or cls.subject_field is None or not has_personal(cls):
            return as_stored
        return partial(self._keys.decrypt, body[cls.subject_field])


def _upcast(cls: type[Event], version: int, body: dict[str, Any]) -> dict[str, Any]:
    if version > cls.event_version:
        raise StoreError(
            f"version {version} of {cls.event_name} was written by newer code",
            expected=f"at most {cls.event_version}",
        )
    for step in range(version, cls.event_version):
        body = cls.upcasters[step](body)
    return body


def _place(stored: StoredEvent) -> str:
    return f"stream {stored.stream_id}, version {stored.version}, position {stored.position}"
