"""Finds the Python side of a domain from its descriptor."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from hanse.domain.application import Application
from hanse.errors import ConfigError

if TYPE_CHECKING:
    from hanse.model.mesh import Domain


_FAULTS = (SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError)


def load(domain: Domain) -> Application | None:
    """The domain's `application`, or None when its descriptor names no module.

    The module is imported where it is installed, else from the domain's `src` folder.
    Raises ConfigError when it is missing, fails to import, or has no application.
    """
    module = load_module(domain)
    if module is None:
        return None
    application = getattr(module, "application", None)
    if not isinstance(application, Application):
        raise ConfigError(
            f"the module {domain.module!r} has no application",
            where=str(domain.directory / "domain.yaml"),
            expected="application = hanse.domain.Application(…) in the module",
            got=type(application).__name__,
        )
    return application


def load_module(domain: Domain, part: str = "") -> ModuleType | None:
    """The domain's module, or its submodule `part`; None when it has none. Raises ConfigError."""
    if domain.module is None:
        return None
    _make_importable(domain)
    name = f"{domain.module}.{part}" if part else domain.module
    if part and find_spec(name) is None:
        return None
    try:
        return import_module(name)
    except _FAULTS as error:
        raise ConfigError(
            f"the code of the domain {domain.name} has a fault",
            where=_place(error),
            got=f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}",
            fix="mend it there",
        ) from error
    except ImportError as error:
        raise ConfigError(
            f"the module {name!r} of the domain {domain.name} cannot be imported",
            where=str(domain.directory / "domain.yaml"),
            got=str(error),
            fix=f"put it under {domain.directory / 'src'}, or remove `module` if the domain has no code",
        ) from error


def _place(error: Exception) -> str:
    """File and line of the fault."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"


def _make_importable(domain: Domain) -> None:
    top = (domain.module or "").partition(".")[0]
    sources = domain.directory / "src"
    if find_spec(top) is None and sources.is_dir() and str(sources) not in sys.path:
        sys.path.append(str(sources))
