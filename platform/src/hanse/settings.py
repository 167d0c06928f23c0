"""Settings of a mesh: `hanse.toml` in its root, overridden by `HANSE_*` variables.

| setting | variable | meaning | default |
|---|---|---|---|
| data | HANSE_DATA | folder for everything Hanse writes, relative to the root | .hanse |
| log | HANSE_LOG | `sqlite:` for the embedded log, or `kafka://host:port[,host:port]` | sqlite: |
| registry | HANSE_REGISTRY | `sqlite:` for the embedded registry, `postgresql://…` for one in that database, or the `http(s)://` address of any | sqlite: |
| store | HANSE_STORE | `sqlite:` for the domains' event stores, or `postgresql://…` | sqlite: |
| lakehouse | HANSE_LAKEHOUSE | `sqlite:` for the Iceberg catalog in a file, or `postgresql://…` | sqlite: |
| host | HANSE_HOST | address on which the catalog listens | 127.0.0.1 |
| port | HANSE_PORT | its port | 8321 |
| openlineage | HANSE_OPENLINEAGE | a file, or an `http(s)://` address, that gets an OpenLineage event of every run | |
| memory | HANSE_MEMORY | most memory that a product's state takes, such as `2GB`; what is more spills to disk beside the state | |
| batch_seconds | HANSE_BATCH_SECONDS | seconds that a batch of records should take: its size follows, between 1,000 and 100,000 records; without it always 100,000 | |

`sqlite:?sync=normal` lets the log's last commits go with the machine's power (the default, `full`,
does not) and `sqlite:?max_bytes=N` limits its file. Options of the Kafka client stand after `?` too,
or in variables: HANSE_KAFKA_SASL_PASSWORD is `sasl.password`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from hanse.errors import ConfigError

FILE = "hanse.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a mesh lives and which adapters it uses. Paths are absolute."""

    root: Path
    data: Path
    log: str = "sqlite:"
    registry: str = "sqlite:"
    store: str = "sqlite:"
    lakehouse: str = "sqlite:"
    host: str = "127.0.0.1"
    port: int = 8321
    openlineage: str = ""
    memory: str = ""
    batch_seconds: float | None = None

    @property
    def log_path(self) -> Path:
        """The embedded event log."""
        return self.data / "log.db"

    @property
    def registry_path(self) -> Path:
        """The embedded schema registry."""
        return self.data / "registry.db"

    @property
    def keys_path(self) -> Path:
        """The keys of data subjects, in a file of their own."""
        return self.data / "keys.db"

    @property
    def mask_path(self) -> Path:
        """The key of the hashes that readers see of personal data."""
        return self.data / "mask.key"

    @property
    def erasures_path(self) -> Path:
        """Which persons were erased from the products, and when."""
        return self.data / "erasures.db"

    @property
    def archive_path(self) -> Path:
        """Archived topics, as Parquet by offset."""
        return self.data / "archive"

    @property
    def lakehouse_path(self) -> Path:
        """The Iceberg catalog and warehouse."""
        return self.data / "lakehouse"

    def store_path(self, domain: str) -> Path:
        """The event store of a domain."""
        return self.data / "stores" / f"{domain}.db"

    def state_path(self, product: str) -> Path:
        """The projection state of a product, by full name."""
        return self.data / "state" / f"{product}.duckdb"

    def environment(self) -> dict[str, str]:
        """The variables under which another process in the same root has the same settings."""
        values = {name: getattr(self, name) for name in _names()}
        return {
            f"HANSE_{name.upper()}": "" if value is None else str(value) for name, value in values.items()
        }


def find_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` that holds `hanse.toml`. Raises ConfigError."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise ConfigError(
        "this is not inside a mesh",
        where=str(here),
        expected=f"a {FILE} here or in a folder above",
        fix="run `hanse init DIR` to make a mesh, or change into one",
    )


def load_settings(root: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the mesh's settings. Raises ConfigError, naming the key or the variable."""
    base = root.resolve() if root else find_root()
    chosen = {**_from_file(base / FILE), **_from_environment(os.environ if environ is None else environ)}
    port = _port(chosen.pop("port", "8321"), base)
    data = (base / chosen.pop("data", ".hanse")).resolve()
    seconds = _seconds(chosen.pop("batch_seconds", ""), base)
    memory = _memory(chosen.pop("memory", ""), base)
    return Settings(root=base, data=data, port=port, batch_seconds=seconds, memory=memory, **chosen)


def _names() -> set[str]:
    return {f.name for f in fields(Settings)} - {"root"}


def _from_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("the settings file is not valid TOML", where=str(path), got=str(error)) from error
    for name, value in document.items():
        if name not in _names():
            known = ", ".join(sorted(_names()))
            raise ConfigError(f"unknown setting {name!r}", where=str(path), expected=known)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ConfigError(f"the setting {name!r} has no plain value", where=str(path), got=repr(value))
    return {name: str(value) for name, value in document.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {n: environ[f"HANSE_{n.upper()}"] for n in _names() if f"HANSE_{n.upper()}" in environ}


def _port(text: str, root: Path) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65_535:
        raise ConfigError("the port is not a number", where=str(root / FILE), expected="0 to 65535", got=text)
    return int(text)


def _seconds(text: str, root: Path) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) or float(text) == 0:
        raise ConfigError(
            "batch_seconds is no time", where=str(root / FILE), expected="seconds, such as 0.5", got=text
        )
    return float(text)


def _memory(text: str, root: Path) -> str:
    if text and not re.fullmatch(r"[1-9]\d{0,5} ?[MG]B", text):
        raise ConfigError(
            "memory is no size", where=str(root / FILE), expected="such as 500MB or 2GB", got=text
        )
    return text


def is_postgres(address: str) -> bool:
    """Whether a setting names a PostgreSQL database."""
    return address.startswith(("postgresql://", "postgres://"))
