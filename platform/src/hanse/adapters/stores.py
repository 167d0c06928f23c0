"""Chooses the event store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.errors import ConfigError
from hanse.settings import is_postgres

if TYPE_CHECKING:
    from hanse.ports.event_store import EventStore
    from hanse.settings import Settings


def open_store(settings: Settings, domain: str) -> EventStore:
    """The event store of a domain, made on first use.

    `sqlite:` gives a file of its own per domain; `postgresql://…` a schema of its own in that database.
    Raises ConfigError for another address, StoreError when the store cannot be opened.
    """
    if settings.store == "sqlite:":
        from hanse.adapters.eventsourcing_store import SQLiteEventStore

        return SQLiteEventStore(settings.store_path(domain))
    if is_postgres(settings.store):
        try:
            from hanse.adapters.postgres_store import PostgresEventStore
        except ImportError as error:
            raise ConfigError(
                "the setting `store` names PostgreSQL, whose driver is not installed",
                got=str(error),
                fix="install hanse with its extra: hanse[postgres]",
            ) from error

        return PostgresEventStore(settings.store, schema=f"hanse_{domain}")
    raise ConfigError(
        "the setting `store` names no known event store",
        expected="sqlite: or postgresql://user@host/database",
        got=settings.store.split("@")[-1],
    )
