"""What a policy is: one class in one file, found by its module or by an entry point."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, ClassVar, Literal

from hanse.errors import ConfigError
from hanse_governance.finding import Finding, Location, Severity

if TYPE_CHECKING:
    from hanse_governance.view import MeshView

ENTRY_POINTS = "hanse.policies"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a federation may set. A domain may only move it towards `stricter`."""

    name: str
    default: int
    stricter: Literal["lower", "higher"]
    help: str


class Policy:
    """One rule. The docstring says what it checks, why, and shows examples; its page is made from it.

    An `optional` policy runs only where a rules file gives it a severity.

    A policy reads the mesh's view and yields findings. It does no I/O of its own, so that the same
    rule runs in an editor, in CI and before registration.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    why: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    optional: ClassVar[bool] = False

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """All breaches in this mesh."""
        raise NotImplementedError

    def finding(
        self,
        at: Location,
        subject: str,
        what: str,
        *,
        fix: str,
        breaking: bool = False,
        columns: tuple[str, ...] = (),
    ) -> Finding:
        """A finding of this policy; the domain is the subject's first part."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            at=at,
            subject=subject,
            what=what,
            why=self.why,
            fix=fix,
            domain=subject.split(".", 1)[0] or None,
            breaking=breaking,
            columns=columns,
        )


@cache
def all_policies() -> tuple[Policy, ...]:
    """Every policy, by code: those shipped, then those of entry points `hanse.policies`.

    Raises ConfigError when two claim one code, or an entry point does not give a policy.
    """
    found: dict[str, Policy] = {}
    for kind in (*_shipped(), *_foreign()):
        if kind.code in found:
            raise ConfigError(
                f"two policies have the code {kind.code}",
                where=f"{type(found[kind.code]).__module__}, {kind.__module__}",
                fix="give the second one a code of its own",
            )
        found[kind.code] = kind()
    return tuple(found[code] for code in sorted(found))


def _shipped() -> Iterator[type[Policy]]:
    package = import_module("hanse_governance.policies")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            yield from _classes(import_module(f"{package.__name__}.{module.name}"))


def _classes(module: object) -> Iterator[type[Policy]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Policy) and kind.__module__ == getattr(module, "__name__", None):
            yield kind


def _foreign() -> Iterator[type[Policy]]:
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        kind = point.load()
        if not (inspect.isclass(kind) and issubclass(kind, Policy)):
            raise ConfigError(
                f"the entry point {point.name!r} is not a policy",
                where=point.value,
                expected="a subclass of hanse_governance.policy.Policy",
                got=repr(kind),
            )
        yield kind
