"""Who may see and query what.

Without a token a reader sees what is public or protected, and queries what is public.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hanse.model.mesh import Product


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever asks. `grants` are full names, `<domain>.*` or `*` that the reader may query."""

    name: str = "anonymous"
    grants: frozenset[str] = field(default_factory=frozenset[str])

    def may_see(self, product: Product) -> bool:
        """Whether the product stands in lists and has a page for this reader."""
        return product.access != "private" or self._granted(product)

    def may_query(self, product: Product) -> bool:
        """Whether the reader gets rows of it."""
        return product.access == "public" or self._granted(product)

    def _granted(self, product: Product) -> bool:
        return not self.grants.isdisjoint({product.full_name, f"{product.domain}.*", "*"})


ANONYMOUS = Reader()
