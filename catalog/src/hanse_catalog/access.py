"""Who may do what with which product.

Without a token a reader sees what is public or protected, and queries what is public. A grant is a name
(`orders.order_status`, `orders.*` or `*`), after a role and a colon when it is another role than query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from hanse.errors import ConfigError
from hanse.model.mesh import Product

Role = Literal["query", "register", "approve", "admin"]
"""What a grant allows: rows of a product, registering it, deciding on requests about it, or all of these."""

ROLES: tuple[Role, ...] = get_args(Role)
_GRANT = re.compile(rf"(({'|'.join(ROLES)}):)?(\*|[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*))")


def check_grant(grant: str) -> str:
    """The grant, when it is one. Raises ConfigError."""
    if not _GRANT.fullmatch(grant):
        expected = (
            f"<domain>.<product>, <domain>.* or *, maybe after one of {', '.join(f'{r}:' for r in ROLES)}"
        )
        raise ConfigError("unknown grant", expected=expected, got=grant[:80])
    return grant.removeprefix("query:")


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever asks. `known` tells that a token, or another proof, says who it is."""

    name: str = "anonymous"
    grants: frozenset[str] = field(default_factory=frozenset[str])
    known: bool = False

    def may_see(self, product: Product) -> bool:
        """Whether the product stands in lists and has a page for this reader."""
        return product.access != "private" or self.may_query(product)

    def may_query(self, product: Product) -> bool:
        """Whether the reader gets rows of it."""
        return product.access == "public" or self.may("query", product.full_name)

    def may(self, role: Role, full_name: str) -> bool:
        """Whether a grant gives that role on that product, or an administrator's does."""
        names = (full_name, f"{full_name.split('.', 1)[0]}.*", "*")
        roles = ("", "admin:") if role == "query" else (f"{role}:", "admin:")
        return not self.grants.isdisjoint(f"{r}{name}" for r in roles for name in names)


ANONYMOUS = Reader()
