"""Which schema registry a mesh uses."""

from __future__ import annotations

import os
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
    if settings.registry == "sqlite:":
        from hanse.registry.embedded import EmbeddedRegistry

        return EmbeddedRegistry(settings.registry_path)
    return registry_at(settings.registry)


def registry_at(said: str) -> OpenRegistry:
    """The registry at an http(s) address; `env:NAME` is the address that this variable holds.

    Raises ConfigError for another value, or a variable that is not set.
    """
    name = said.removeprefix("env:")
    address = os.environ.get(name, "") if name != said else said
    if not address:
        raise ConfigError(
            "the variable that holds a registry's address is not set", expected=name, fix=f"export {name}=…"
        )
    if address.startswith(("http://", "https://")):
        from hanse.registry.client import RegistryClient

        return RegistryClient(address)
    raise ConfigError(
        "the registry's address is not understood",
        where="setting registry, or an external topic's",
        expected="http(s)://host:port, env:NAME of a variable that holds one, or (as the mesh's own) sqlite:",
        got=address,
    )
