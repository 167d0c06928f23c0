"""Snapshots of aggregates: the state after many events, so that a load need not replay them all.

A snapshot belongs to the code that made it: a fingerprint of the aggregate's source and of what its events are
made of. Another fingerprint, and the snapshot is passed over and made anew. Where the events tell of a person
the whole snapshot is encrypted for that person; once forgotten, it cannot be read and the events are replayed.
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints
from uuid import UUID

import orjson

from hanse.domain.aggregate import Aggregate
from hanse.domain.messages import Event
from hanse.errors import ConfigError
from hanse.ports.event_store import StoredSnapshot

if TYPE_CHECKING:
    from hanse.domain.subjects import SubjectKeys

_READERS: dict[str, Any] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
    "UUID": UUID,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def is_due(cls: type[Aggregate], before: int, after: int) -> bool:
    """Whether a commit that took the aggregate from one version to another calls for a snapshot."""
    every = cls.snapshot_every
    return every is not None and before // every < after // every


def take(aggregate: Aggregate, stream_id: UUID, event: Event, keys: SubjectKeys) -> StoredSnapshot:
    """The snapshot of the aggregate, whose last event was `event`.

    Raises ConfigError when its state holds what neither JSON nor its events have.
    """
    cls = type(aggregate)
    state = {name: _written(item, cls, name) for name, item in vars(aggregate).items() if name != "version"}
    text = orjson.dumps(state).decode()
    subject = None if type(event).subject_field is None else getattr(event, type(event).subject_field or "")
    if subject is not None:
        text = keys.encrypt(subject, text)
    return StoredSnapshot(stream_id, aggregate.version, fingerprint(cls), text, subject)


def restore(cls: type[Aggregate], stored: StoredSnapshot, keys: SubjectKeys) -> Aggregate | None:
    """The aggregate of a snapshot; None when other code made it, or its person was forgotten."""
    if stored.code != fingerprint(cls):
        return None
    text = stored.state if stored.subject is None else keys.decrypt(stored.subject, stored.state)
    if text is None:
        return None
    aggregate = cls()
    for name, item in orjson.loads(text).items():
        setattr(aggregate, name, _read(item, cls))
    aggregate.version = stored.version
    return aggregate


@cache
def fingerprint(cls: type[Aggregate]) -> str:
    """Names the code on which a state of the aggregate depends: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    events = sorted(cls.appliers, key=_name)
    parts = _parts(cls)
    for part in (cls, *events, *(parts[name] for name in sorted(parts))):
        try:
            digest.update(inspect.getsource(part).encode())
        except (OSError, TypeError) as error:
            raise ConfigError(
                f"{cls.aggregate_name} cannot have snapshots: its source cannot be read", got=str(error)
            ) from error
    return digest.hexdigest()[:16]


@cache
def _parts(cls: type[Aggregate]) -> dict[str, type]:
    """The value objects and enumerations of which the aggregate's messages are made, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [*cls.appliers, *cls.deciders]
    while waiting:
        hint = waiting.pop()
        waiting += get_args(hint)
        if (
            isinstance(hint, type)
            and (is_dataclass(hint) or issubclass(hint, Enum))
            and _name(hint) not in found
        ):
            found[_name(hint)] = hint
            if is_dataclass(hint):
                waiting += get_type_hints(hint, include_extras=True).values()
    return found


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _written(item: Any, cls: type[Aggregate], where: str) -> Any:
    """The value in JSON, with the name of its type where JSON has none."""
    kind = type(item)
    if item is None or kind in (str, int, float, bool):
        return item
    if kind is list:
        return [_written(part, cls, where) for part in item]
    if kind is dict:
        return {
            "$": "dict",
            "v": [[_written(k, cls, where), _written(v, cls, where)] for k, v in item.items()],
        }
    if kind in (tuple, set, frozenset):
        return {"$": kind.__name__, "v": [_written(part, cls, where) for part in item]}
    if kind in (datetime, date):
        return {"$": kind.__name__, "v": item.isoformat()}
    if kind in (Decimal, UUID):
        return {"$": kind.__name__, "v": str(item)}
    if _name(kind) not in _parts(cls):
        raise ConfigError(
            f"a snapshot of {cls.aggregate_name} cannot hold its {where}",
            expected="values of JSON, moments, decimals, and what its messages are made of",
            got=kind.__qualname__,
        )
    if isinstance(item, Enum):
        return {"$": _name(kind), "v": item.value}
    return {
        "$": _name(kind),
        "v": {f.name: _written(getattr(item, f.name), cls, where) for f in fields(item)},
    }


def _read(item: Any, cls: type[Aggregate]) -> Any:
    if isinstance(item, list):
        return [_read(part, cls) for part in item]
    if not isinstance(item, dict):
        return item
    name, inner = item["$"], item["v"]
    if name == "dict":
        return {_read(k, cls): _read(v, cls) for k, v in inner}
    if name in _READERS:
        return _READERS[name]([_read(part, cls) for part in inner] if isinstance(inner, list) else inner)
    kind = _parts(cls)[name]
    if issubclass(kind, Enum):
        return kind(inner)
    made = object.__new__(kind)
    for field, part in inner.items():
        object.__setattr__(made, field, _read(part, cls))
    return made
