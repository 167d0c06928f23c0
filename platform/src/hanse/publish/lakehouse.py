"""The lakehouse: Iceberg tables by pyiceberg on an SQLite catalog and local files."""

from __future__ import annotations

import shutil
import sqlite3
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote as percent

from hanse.model.mesh import Contract
from hanse.publish.verdicts import Verdicts
from hanse.settings import Settings, is_postgres

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table

CATALOG = "hanse"
PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "history.expire.min-snapshots-to-keep": "100",
}


class Lakehouse:
    """Tables of a mesh under one folder: `catalog.db`, `verdicts.db`, `warehouse/`, `leases/`.

    With a `postgresql://` address the Iceberg catalog is there instead of in `catalog.db`.
    """

    def __init__(self, path: Path, address: str = "sqlite:") -> None:
        self.path = path
        self.address = address
        self.verdicts = Verdicts(path / "verdicts.db")

    @classmethod
    def of(cls, settings: Settings) -> Lakehouse:
        """The lakehouse of a mesh."""
        return cls(settings.lakehouse_path, settings.lakehouse)

    @property
    def leases(self) -> Path:
        """Where the leases lie."""
        return self.path / "leases"

    @cached_property
    def catalog(self) -> SqlCatalog:
        """The Iceberg catalog, made when it does not exist."""
        from pyiceberg.catalog.sql import SqlCatalog

        self.path.mkdir(parents=True, exist_ok=True)
        warehouse = str(self.path / "warehouse")
        if is_postgres(self.address):
            uri = "postgresql+psycopg://" + self.address.partition("://")[2]
            return SqlCatalog(CATALOG, uri=uri, warehouse=warehouse)
        file = self.path / "catalog.db"
        if not file.exists():
            con = sqlite3.connect(file, timeout=30)
            con.execute("PRAGMA journal_mode=WAL")
            con.close()
        return SqlCatalog(
            CATALOG,
            uri=f"sqlite:///{percent(str(file))}?timeout=30",
            warehouse=warehouse,
        )

    def load(self, full_name: str) -> Table | None:
        """The table of a product, or None when nothing was ever published."""
        from pyiceberg.exceptions import NoSuchTableError

        try:
            return self.catalog.load_table(tuple(full_name.split(".", 1)))
        except NoSuchTableError:
            return None

    def ensure(self, full_name: str, contract: Contract, *, anew: bool = False) -> Table:
        """The product's table, made or evolved as its contract says. Raises PublicationError.

        With `anew` every row is about to be written again, so columns may take any type.
        """
        from hanse.publish.schema import contract_types, evolve, iceberg_schema

        table = self.load(full_name)
        if table is None:
            return self.create(full_name, iceberg_schema(contract_types(contract)))
        evolve(table, contract, anew=anew)
        return table.refresh()

    def create(self, full_name: str, schema: Schema) -> Table:
        """A new, empty table."""
        domain, name = full_name.split(".", 1)
        self.catalog.create_namespace_if_not_exists(domain)
        location = str(self.path / "warehouse" / domain / name)
        return self.catalog.create_table_if_not_exists(
            (domain, name), schema, location=location, properties=PROPERTIES
        )

    def drop(self, full_name: str) -> None:
        """Forget a table and delete its files."""
        table = self.load(full_name)
        if table is not None:
            self.catalog.drop_table(tuple(full_name.split(".", 1)))
            shutil.rmtree(table.location(), ignore_errors=True)

    def close(self) -> None:
        """Close the catalog's connections."""
        if "catalog" in self.__dict__:
            self.catalog.engine.dispose()
            del self.__dict__["catalog"]

    def __enter__(self) -> Lakehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
