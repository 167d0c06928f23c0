"""An aggregate as it was at any moment, and how it came to be so."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from hanse.domain.codec import as_stored, encoder
from hanse.domain.discovery import load
from hanse.domain.service import Recorded
from hanse.domain.storage import EventSerializer
from hanse.domain.subjects import PREFIX
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.bootstrap import Mesh
    from hanse.domain.aggregate import Aggregate
    from hanse.domain.application import Application

MASKED = "(personal)"


@dataclass(frozen=True, slots=True)
class Timeline:
    """An aggregate's state after `events`, in JSON's types; `later` events have happened since."""

    domain: str
    aggregate: str
    identity: str
    state: dict[str, Any]
    events: list[Recorded]
    later: int

    def as_dict(self, *, history: bool) -> dict[str, Any]:
        """For JSON."""
        document: dict[str, Any] = {
            "domain": self.domain,
            "aggregate": self.aggregate,
            "id": self.identity,
            "version": len(self.events),
            "later_events": self.later,
            "state": self.state,
        }
        if history:
            document["events"] = [_event(recorded) for recorded in self.events]
        return document


def timeline(
    mesh: Mesh,
    kind: str,
    identity: str,
    *,
    version: int | None = None,
    at: datetime | None = None,
    personal: bool = False,
) -> Timeline:
    """The aggregate after `version` events, or after those until the moment `at`, or now.

    Personal texts are masked unless asked for. Raises ConfigError: no such aggregate, or no events of it;
    StoreError when a stored event cannot be read.
    """
    domain, application, cls = find_aggregate(mesh, kind)
    serializer = EventSerializer(application, mesh.keys if personal else None)
    stored = mesh.store(domain).stream(cls.stream_id(identity))
    every = [Recorded(s.version, s.position or 0, *serializer.read(s)) for s in stored]
    if not every:
        raise ConfigError(f"{domain} has no {cls.aggregate_name} {identity!r}", where=str(mesh.settings.root))
    wanted = [
        recorded
        for recorded in every
        if (version is None or recorded.version <= version) and (at is None or recorded.envelope.time <= at)
    ]
    aggregate = cls.replay(recorded.event for recorded in wanted)
    state = {name: plain(item) for name, item in vars(aggregate).items() if name != "version"}
    return Timeline(domain, cls.aggregate_name, identity, state, wanted, len(every) - len(wanted))


def find_aggregate(mesh: Mesh, kind: str) -> tuple[str, Application, type[Aggregate]]:
    """The aggregate named `<type>` or `<domain>.<type>`. Raises ConfigError when there is none, or several."""
    known: dict[str, tuple[str, Application, type[Aggregate]]] = {}
    for domain in mesh.model.domains:
        application = load(domain)
        for cls in application.aggregates if application else ():
            assert application is not None
            known[f"{domain.name}.{cls.aggregate_name}"] = (domain.name, application, cls)
    found = [name for name in known if name == kind or name.partition(".")[2] == kind]
    if len(found) != 1:
        raise ConfigError(
            f"{'no' if not found else 'more than one'} aggregate is called {kind!r}",
            where=str(mesh.settings.root),
            expected=", ".join(sorted(known)),
        )
    return known[found[0]]


def plain(item: Any) -> Any:
    """The value in JSON's types; what is still encrypted is masked."""
    if isinstance(item, str):
        return MASKED if item.startswith(PREFIX) else item
    if isinstance(item, dict):
        return {str(key): plain(value) for key, value in item.items()}
    if isinstance(item, list | tuple | set | frozenset):
        return [plain(part) for part in item]
    if is_dataclass(item):
        return plain(encoder(type(item))(item, as_stored))  # pyright: ignore[reportArgumentType]
    return orjson.loads(orjson.dumps(item, default=str))


def body(recorded: Recorded) -> dict[str, Any]:
    """The event's fields in JSON's types, masked."""
    return plain(recorded.event)


def _event(recorded: Recorded) -> dict[str, Any]:
    return {
        "version": recorded.version,
        "position": recorded.position,
        "type": recorded.event.event_name,
        "body": body(recorded),
        **recorded.envelope.to_json(),
    }
