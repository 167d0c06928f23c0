"""Opening a product for work: its lease, its state, the projector on it, its publisher."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse import __version__
from hanse.bootstrap import Mesh
from hanse.errors import ConfigError, LeaseHeld, PublicationError
from hanse.model.mesh import Product

if TYPE_CHECKING:
    import duckdb

    from hanse.projection import Projector
    from hanse.publish.lakehouse import Lakehouse
    from hanse.publish.publisher import Publisher
    from hanse.publish.state import Context, SinkState

LEASE_WAIT_SECONDS = 60.0


def find_product(mesh: Mesh, name: str) -> Product:
    """The product of that name. Raises ConfigError with the names that exist."""
    product = mesh.model.product(name)
    if product is None:
        known = ", ".join(p.full_name for p in mesh.model.products)
        raise ConfigError(
            f"no product is called {name!r}", expected=known or "none yet", fix="hanse product list"
        )
    return product


@contextmanager
def leased(mesh: Mesh, product: Product, wait: float = LEASE_WAIT_SECONDS) -> Generator[Publisher]:
    """Own the product. Raises LeaseHeld after `wait` seconds."""
    from hanse.publish.lakehouse import Lakehouse
    from hanse.publish.lease import Lease
    from hanse.publish.publisher import Publisher

    with Lakehouse.of(mesh.settings) as lakehouse:
        deadline = time.monotonic() + wait
        while True:
            try:
                lease = Lease.acquire(lakehouse.leases, product.full_name)
                break
            except LeaseHeld:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        with lease:
            yield Publisher(lakehouse, product, lease)


@contextmanager
def opened(
    mesh: Mesh, product: Product, wait: float = LEASE_WAIT_SECONDS
) -> Generator[tuple[duckdb.DuckDBPyConnection, Projector, Publisher]]:
    """Own the product and open its state; a rebuild that died after readers saw it is finished first."""
    with leased(mesh, product, wait) as publisher:
        settle_rebuild(mesh, product, publisher.lakehouse)
        with projecting(mesh, product, mesh.settings.state_path(product.full_name)) as (con, projector):
            yield con, projector, publisher


@contextmanager
def projecting(
    mesh: Mesh, product: Product, path: Path, *, beside: bool = False
) -> Generator[tuple[duckdb.DuckDBPyConnection, Projector]]:
    """The projector on the state in that file, made when it is not there."""
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, str] = {"temp_directory": f"{path}.spill"}
    if mesh.settings.memory:
        config["memory_limit"] = mesh.settings.memory
    with duckdb.connect(str(path), config=dict(config)) as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con, projector_of(mesh, product, con, beside=beside)


def projector_of(
    mesh: Mesh, product: Product, con: duckdb.DuckDBPyConnection, *, beside: bool = False
) -> Projector:
    """A projector wired to the mesh. `beside`: another state of the product lives on."""
    from hanse.projection import Projector
    from hanse.publish.reader import Reader

    reader = Reader(mesh.settings)
    return Projector(
        product,
        mesh.model,
        mesh.log,
        mesh.registry_of,
        con,
        reader=reader,
        beside=beside,
        batch_seconds=mesh.settings.batch_seconds,
    )


def sink_of(mesh: Mesh, projector: Projector, product: Product) -> SinkState:
    """What the projection offers for publication; what is personal is masked on the way."""
    from hanse.publish import masks
    from hanse.publish.state import SinkState

    contract = product.contract
    if contract.masked:
        masks.install(projector.con, mesh.keys, masks.mask_key(mesh.settings.mask_path))

    projector.catch_up()
    engine = projector.engine
    name, info = next(iter(engine.sinks.items()))
    return SinkState(
        changes=engine.changes(name),
        output=engine.output(name),
        columns=tuple(info.columns),
        key=contract.primary_key,
        append=info.append,
        masks=masks.public(contract),
        clear=masks.clear(contract),
    )


def context_of(oldest: Any) -> Context:
    """What goes along with a publication."""
    from hanse.publish.state import Context

    return Context(code_version=__version__, oldest=oldest)


@contextmanager
def storage(mesh: Mesh, product: Product) -> Generator[None]:
    """A disk that is full or fails is one message; what was committed before it stays."""
    import duckdb
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (duckdb.IOException, sqlite3.Error, DBAPIError, OSError) as error:
        state = mesh.settings.state_path(product.full_name)
        if isinstance(error, duckdb.IOException) and "not a valid DuckDB database" in str(error):
            raise PublicationError(
                f"the projection's state of {product.full_name} is damaged",
                where=str(state),
                fix=f"hanse product rebuild {product.full_name}; readers keep the last snapshot meanwhile",
            ) from error
        raise PublicationError(
            f"{product.full_name} cannot be written",
            where=str(mesh.settings.data),
            got=str(error).splitlines()[0],
            fix="free the disk and run it again; nothing that was committed is lost",
        ) from error


def beside_path(mesh: Mesh, product: Product) -> Path:
    """Where a rebuild keeps its state until readers see it."""
    return mesh.settings.state_path(f"{product.full_name}.rebuild")


def drop_state(path: Path) -> None:
    """Delete a state."""
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)


def replace_state(mesh: Mesh, product: Product) -> None:
    """The state of a rebuild that readers see becomes the product's; may be repeated after a crash."""
    import duckdb

    new, old = beside_path(mesh, product), mesh.settings.state_path(product.full_name)
    with duckdb.connect(str(new)) as con:
        con.execute("CHECKPOINT")
    old.with_name(old.name + ".wal").unlink(missing_ok=True)
    new.replace(old)


def settle_rebuild(mesh: Mesh, product: Product, lakehouse: Lakehouse) -> None:
    """Under the lease: finish the swap of a rebuild that died after its commit, drop one that died before."""
    from hanse.publish.lease import Lease

    path = beside_path(mesh, product)
    if not path.exists():
        return
    try:
        lock = Lease.acquire(lakehouse.leases, path.stem)
    except LeaseHeld:
        return  # it is being built right now
    with lock:
        if published(lakehouse, product, path):
            replace_state(mesh, product)
        else:
            drop_state(path)


def published(lakehouse: Lakehouse, product: Product, path: Path) -> bool:
    """Whether readers see what the state made."""
    import duckdb

    from hanse.publish import state
    from hanse.publish.publisher import HEAD

    table = lakehouse.load(product.full_name)
    head = table.properties.get(HEAD, "").split("/") if table else []
    if len(head) < 2:
        return False
    with duckdb.connect(str(path)) as con:
        state.prepare(con)
        pending = state.load(con)
        return head[1] in (state.last_pub(con), pending.pub_id if pending else None)
