"""Which schema registry a mesh uses."""

from __future__ import annotations

from typing import Protocol

from hanse.errors import ConfigError
from hanse.ports.schema_registry import SchemaRegistry
from hanse.settings import Settings


class OpenRegistry(SchemaRegistry, Protocol):
    """A registry that holds resources and is closed by who opened it."""

    def close(self) -> None:
        """Give back files and connections."""
        ...


def open_registry(settings: Settings) -> OpenRegistry:
    """The registry of the settings: `sqlite:` is the embedded one, http(s) any with Confluent's API.

    Raises ConfigError for another value, SchemaError when the file cannot be opened.
    """
    address = settings.registry
    if address == "sqlite:":
        from hanse.registry.embedded import EmbeddedRegistry

        return EmbeddedRegistry(settings.registry_path)
    if address.startswith(("http://", "https://")):
        from hanse.registry.client import RegistryClient

        return RegistryClient(address)
    raise ConfigError(
        "the registry's address is not understood",
        where="setting registry",
        expected="sqlite: or http(s)://host:port",
        got=address,
    )
