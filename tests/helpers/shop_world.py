"""A store of the test shop, its keys, and services on them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hanse.adapters.eventsourcing_store import SQLiteEventStore
from hanse.domain import Application, ApplicationService, Request
from hanse.domain.subjects import SubjectKeys
from helpers.shop_model import Open, Shop, Touch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = Application("shop", aggregates=[Shop])


class World:
    """A store, its keys, and services on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SQLiteEventStore(folder / "shop.db")
        self.keys = SubjectKeys(folder / "keys.db")
        self.service = self.another()

    def another(self, **options: Any) -> ApplicationService:
        return ApplicationService(SHOP, self.store, self.keys, clock=lambda: NOW, **options)


def command_many(folder: str, worker: int) -> None:
    world = World(Path(folder))
    for number in range(40):
        identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{number}")
        world.service.handle_many(
            [
                Request(Open(shop_id=f"s{number}", owner="Ana"), identity),
                Request(Touch(shop_id=f"s{number}"), uuid.uuid5(identity, str(worker))),
            ]
        )
