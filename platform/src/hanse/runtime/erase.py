"""Erasing a person: the key first, then every product that shows or shows traces of personal data.

1. the person's key is destroyed, and with it whatever is ciphertext in stores, topics, states and archives
2. each product with masked columns is written again, and each product that reads one, in order
3. of those products everything but the newest snapshot goes: older moments, files, what was left of crashes
4. the journal says when it was done: the audit line

Every step may be repeated, so a crash is mended by the same command. The journal is an SQLite file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError
from hanse.model.mesh import MeshModel, Product
from hanse.publish import maintenance
from hanse.publish.audit import REJECTED, RESTRICTED
from hanse.publish.failpoints import reach
from hanse.runtime.opening import leased, storage
from hanse.runtime.products import in_order
from hanse.runtime.rebuild import publish_anew, rebuild_product

_MAX_SUBJECT = 512
_TABLE = (
    "CREATE TABLE IF NOT EXISTS erasure (subject TEXT PRIMARY KEY, reason TEXT, begun_at TEXT, done_at TEXT, "
    "products TEXT)"
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's erasure; `done_at` is None while it is under way, or was cut off. Times are UTC."""

    subject: str
    reason: str
    begun_at: str
    done_at: str | None
    products: tuple[str, ...]


def erase_subject(
    mesh: Mesh, subject: str, reason: str = "", told: Callable[[str], None] | None = None
) -> Erasure:
    """Erase a person from the mesh; the same again for one who was erased does nothing.

    `told` is called with what is done. Raises ConfigError for a subject that cannot be one, and what the
    products' runs raise: then it is not finished, and the same call goes on.
    """
    if not 0 < len(subject) <= _MAX_SUBJECT:
        raise ConfigError("this is no subject", expected=f"1 to {_MAX_SUBJECT} characters", got=subject[:40])
    found = next((e for e in erasures(mesh) if e.subject == subject), None)
    if found is not None and found.done_at:
        return found
    _begin(mesh, subject, reason)
    mesh.keys.forget(subject)
    reach("forgotten")
    done: list[str] = []
    for product in affected(mesh.model):
        if told is not None:
            told(f"{product.full_name} is written again")
        if product.contract.masked:
            publish_anew(mesh, product)
        else:
            rebuild_product(mesh, product.full_name)
        reach("written-again")
        _purge(mesh, product)
        reach("purged")
        done.append(product.full_name)
    return _end(mesh, subject, done)


def erasures(mesh: Mesh) -> list[Erasure]:
    """All erasures, oldest first."""
    with _journal(mesh) as con:
        rows = con.execute(
            "SELECT subject, reason, begun_at, done_at, products FROM erasure ORDER BY begun_at"
        ).fetchall()
    return [Erasure(s, r, b, d, tuple(p.split(",")) if p else ()) for s, r, b, d, p in rows]


def affected(model: MeshModel) -> list[Product]:
    """Products with masked columns and all that read them, each after what it reads."""
    names = {p.full_name for p in model.products if p.contract.masked}
    found: list[Product] = []
    for product in in_order(model):
        if product.full_name in names or names & {*product.inputs}:
            names.add(product.full_name)
            found.append(product)
    return found


def _purge(mesh: Mesh, product: Product) -> None:
    with storage(mesh, product), leased(mesh, product) as publisher:
        lakehouse = publisher.lakehouse
        lakehouse.drop(product.full_name + REJECTED)
        maintenance.purge(lakehouse, product.full_name, publisher.table(), publisher.lease.epoch)
        restricted = lakehouse.load(product.full_name + RESTRICTED)
        if restricted is not None:
            maintenance.purge(lakehouse, product.full_name + RESTRICTED, restricted, 0)


def _begin(mesh: Mesh, subject: str, reason: str) -> None:
    with _journal(mesh) as con:
        con.execute("INSERT OR IGNORE INTO erasure VALUES (?, ?, ?, NULL, '')", (subject, reason, _now()))


def _end(mesh: Mesh, subject: str, products: list[str]) -> Erasure:
    with _journal(mesh) as con:
        con.execute(
            "UPDATE erasure SET done_at = ?, products = ? WHERE subject = ?",
            (_now(), ",".join(products), subject),
        )
    return next(e for e in erasures(mesh) if e.subject == subject)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _journal(mesh: Mesh) -> Generator[sqlite3.Connection]:
    path = mesh.settings.erasures_path
    path.parent.mkdir(parents=True, exist_ok=True)
    con = sqlite3.connect(path, timeout=30)
    try:
        con.execute(_TABLE)
        yield con
        con.commit()
    finally:
        con.close()
