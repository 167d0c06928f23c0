"""Which schema registry a mesh uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from hanse.errors import ConfigError
from hanse.ports.schema_registry import SchemaRegistry
from hanse.settings import Settings, is_postgres


class OpenRegistry(SchemaRegistry, Protocol):
    """A registry that holds resources and is closed by who opened it."""

    def close(self) -> None:
        """Give back files and connections."""
        ...


def open_registry(settings: Settings) -> OpenRegistry:
    """The registry of the settings: `sqlite:` and `postgresql://…` are Hanse's own, http(s) any with Confluent's API.

    Raises ConfigError for another value, SchemaError when the file or database cannot be opened.
    """
    own = own_place(settings)
    if own is not None:
        from hanse.registry.embedded import EmbeddedRegistry

        return EmbeddedRegistry(own)
    return registry_at(settings.registry)


def own_place(settings: Settings) -> Path | str | None:
    """Where Hanse keeps this mesh's registry itself: a file or a database; None when another one is used."""
    if settings.registry == "sqlite:":
        return settings.registry_path
    return settings.registry if is_postgres(settings.registry) else None


def place_to_serve(settings: Settings) -> Path | str:
    """Where the registry is that this mesh can serve. Raises ConfigError when somebody else serves it."""
    own = own_place(settings)
    if own is None:
        raise ConfigError(
            "this mesh uses a registry that is served already",
            where="setting registry",
            got=settings.registry,
            fix="give clients that address, or name another place with --file",
        )
    return own


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
        expected="http(s)://host:port, env:NAME of a variable that holds one, or (as the mesh's own) sqlite: or postgresql://…",
        got=address,
    )
