"""PRD004."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hanse.model.mesh import Contract, Product
from hanse_governance.column_types import contract_type, widens
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].{0,100})?")
_LEVELS = ("patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class _Change:
    level: int
    what: str
    column: str | None = None


class VersionBump(Policy):
    """A contract's version moves as its content does: breaking → major, added → minor, the rest → patch.

    Breaking is: a column goes, changes its type so that old readers cannot hold it, becomes optional, or
    the primary key changes. Added is: a new column, a column that becomes required, a wider description
    of service levels or quality. Needs `--base`. A draft may change as it likes.

    ## Examples

    Breaks it: the column `state` is dropped, `version` goes from 1.2.0 to 1.3.0.

    Keeps it: `version: 2.0.0`, while the product of version 1 lives on as deprecated.
    """

    code = "PRD004"
    name = "version-does-not-match-change"
    severity = "error"
    why = "Readers decide by the version whether they can follow without work."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Products that are on both sides."""
        for product in mesh.model.products:
            before = mesh.base.products.get(product.full_name) if mesh.base else None
            if before is not None and before.lifecycle not in ("draft", "proposed"):
                yield from self._judge(mesh, product, before.contract)

    def _judge(self, mesh: MeshView, product: Product, before: Contract) -> Iterator[Finding]:
        at = mesh.in_contract(product, "version")
        old, new = _parse(before.version), _parse(product.contract.version)
        if new is None:
            got = f"the version {product.contract.version!r} of {product.full_name} is not major.minor.patch"
            yield self.finding(at, product.full_name, got, fix="write it as 1.4.0")
            return
        changes = list(_changes(before, product.contract))
        if old is None or not changes:
            return
        level = max(c.level for c in changes)
        worst = [c for c in changes if c.level == level]
        if _bumped(old, new) >= level:
            return
        wanted = _next(old, level)
        columns = tuple(sorted({c.column for c in worst if c.column})) if all(c.column for c in worst) else ()
        yield self.finding(
            at,
            product.full_name,
            f"{'; '.join(c.what for c in worst[:5])}: a {_LEVELS[level]} change of {product.full_name}, "
            f"but the version goes from {before.version} to {product.contract.version}",
            fix=f"set version: {wanted}"
            + (", and keep the old one live while readers move" if level == 2 else ""),
            breaking=level == 2,
            columns=columns,
        )


def _parse(version: str) -> tuple[int, int, int] | None:
    found = _VERSION.fullmatch(version.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _bumped(old: tuple[int, int, int], new: tuple[int, int, int]) -> int:
    """The level of the step from old to new; -1 when it does not go up."""
    if new <= old:
        return -1
    return 2 if new[0] > old[0] else 1 if new[1] > old[1] else 0


def _next(old: tuple[int, int, int], level: int) -> str:
    major, minor, patch = old
    return (f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0")[level]


def _changes(old: Contract, new: Contract) -> Iterator[_Change]:
    before, after = {c.name: c for c in old.columns}, {c.name: c for c in new.columns}
    for name, column in before.items():
        other = after.get(name)
        if other is None:
            yield _Change(2, f"the column {name} is gone", name)
            continue
        was, now = contract_type(column), contract_type(other)
        if was != now:
            widened = widens(was, now)
            yield _Change(1 if widened else 2, f"{name} goes from {was} to {now}", name)
        if column.required and not other.required:
            yield _Change(2, f"{name} may be empty now", name)
        if other.required and not column.required:
            yield _Change(1, f"{name} is required now", name)
        if column.classification != other.classification:
            yield _Change(1, f"the classification of {name} changes", name)
        if (column.description, column.business_name) != (other.description, other.business_name):
            yield _Change(0, f"the description of {name} changes", name)
    for name in after.keys() - before.keys():
        yield _Change(1, f"the column {name} is new", name)
    if old.primary_key != new.primary_key:
        yield _Change(2, f"the primary key goes from {old.primary_key} to {new.primary_key}")
    if old.quality != new.quality:
        yield _Change(1, "the quality rules change")
    if old.document.get("slaProperties") != new.document.get("slaProperties"):
        yield _Change(1, "the service levels change")
