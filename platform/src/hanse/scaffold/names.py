"""Names that a domain or a product may have: they become folders, SQL names and Python packages."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec

from hanse.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SQL = frozenset(
    """
    all alter and any array as asc between by case cast check column constraint create cross current_date
    current_time current_timestamp default delete desc distinct drop else end except exists false fetch for
    foreign from full grant group having in inner insert intersect interval into is join lateral left like
    limit natural not null of offset on or order outer over partition primary references right row rows select
    set some table then to true union unique update user using values view when where window with
    """.split()  # noqa: SIM905
)
_OURS = frozenset({"hanse", "main", "audit", "engine", "information_schema", "system", "temp"})
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
)


def is_sql_word(name: str) -> bool:
    """Whether SQL reads the name as one of its own words unless it is quoted."""
    return name.lower() in _SQL


def domain_name(name: str, *, taken: bool = False) -> str:
    """The name, if a domain may have it. Raises ConfigError. `taken`: the package is the domain's own."""
    _check("domain", name)
    if name in sys.stdlib_module_names or name.startswith("hanse"):
        raise _refused("domain", name, "a Python package of that name would hide another one")
    if not taken and find_spec(name) is not None:
        raise _refused("domain", name, "an installed Python package has that name")
    return name


def product_name(name: str) -> str:
    """The name, if a product may have it. Raises ConfigError."""
    _check("product", name)
    return name


def split_product(full_name: str) -> tuple[str, str]:
    """Domain and product of `domain/name`. Raises ConfigError."""
    parts = full_name.replace(".", "/").split("/")
    if len(parts) != 2 or not all(parts):
        raise ConfigError(
            "this is not the name of a product",
            expected="domain/name, such as returns/return_rate",
            got=full_name[:100],
        )
    return parts[0], parts[1]


def _check(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"this cannot be the name of a {kind}",
            expected="lower-case letters, digits and _, beginning with a letter, at most 63 of them",
            got=name[:100],
        )
    if name in _SQL:
        raise _refused(kind, name, "it is a word of SQL")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise _refused(kind, name, "it is a word of Python")
    if name in _OURS or name in _DEVICES:
        raise _refused(kind, name, "it is reserved")


def _refused(kind: str, name: str, why: str) -> ConfigError:
    return ConfigError(
        f"a {kind} cannot be named {name!r}: {why}", fix="choose another name, such as a plural"
    )
