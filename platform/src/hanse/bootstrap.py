"""Wires settings to adapters, once a process: the one place that knows them all."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.settings import Settings, load_settings

if TYPE_CHECKING:
    from hanse.adapters.registries import OpenRegistry
    from hanse.domain.subjects import SubjectKeys
    from hanse.model.mesh import MeshModel, Topic
    from hanse.ports.event_log import EventLog
    from hanse.ports.event_store import EventStore
    from hanse.ports.schema_registry import SchemaRegistry


class Mesh:
    """One mesh, opened. Adapters are made on first use and closed together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stores: dict[str, EventStore] = {}
        self._registries: dict[str, OpenRegistry] = {}

    @classmethod
    def open(cls, root: Path | None = None) -> Mesh:
        """The mesh at `root`, or the one around the current folder. Raises ConfigError."""
        return cls(load_settings(root))

    @cached_property
    def model(self) -> MeshModel:
        """All descriptors, resolved. Raises ConfigError."""
        from hanse.descriptors import load_mesh

        return load_mesh(self.settings.root)

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        from hanse.adapters.logs import open_log

        return open_log(self.settings)

    @cached_property
    def registry(self) -> SchemaRegistry:
        """The schema registry."""
        from hanse.adapters.registries import open_registry

        return open_registry(self.settings)

    def registry_of(self, topic: Topic) -> SchemaRegistry:
        """The registry of a topic's schemas: the mesh's, unless others write the topic and have their own."""
        address = topic.external.registry if topic.external else None
        return self.registry_at(address) if address else self.registry

    def registry_at(self, address: str) -> SchemaRegistry:
        """Another registry, by its address or `env:NAME`; opened once."""
        if address not in self._registries:
            from hanse.adapters.registries import registry_at

            self._registries[address] = registry_at(address)
        return self._registries[address]

    @cached_property
    def keys(self) -> SubjectKeys:
        """The encryption keys of data subjects."""
        from hanse.domain.subjects import SubjectKeys

        return SubjectKeys(self.settings.keys_path)

    def store(self, domain: str) -> EventStore:
        """The event store of one domain."""
        if domain not in self._stores:
            from hanse.adapters.stores import open_store

            self._stores[domain] = open_store(self.settings, domain)
        return self._stores[domain]

    def close(self) -> None:
        """Close what was opened."""
        for name in ("log", "registry", "keys"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        for opened in (*self._stores.values(), *self._registries.values()):
            opened.close()
        self._stores.clear()
        self._registries.clear()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
