"""LNG002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import Domain
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView
from hanse_governance.words import plain, singular, words


class AmbiguousWords(Policy):
    """A word that two domains define differently does not cross between them untranslated.

    When a product reads another domain's topic or product named with such a word, its own domain's
    definition must name the other domain: that sentence is the translation.

    ## Examples

    Breaks it: orders has `Order: A customer's binding wish`, reporting has `Order: A row in the revenue
    table`, and a product of reporting reads `orders.order_placed`.

    Keeps it: reporting has `Order: An Order of the orders domain, once it is paid`.
    """

    code = "LNG002"
    name = "word-means-two-things"
    severity = "warning"
    why = "Numbers that use one word for two things are added up by somebody, sooner or later."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Each read across a border, once a domain pair and word."""
        told: set[tuple[str, str, str]] = set()
        for edge in mesh.crossing():
            ours, theirs = mesh.domains.get(edge.product.domain), mesh.domains.get(edge.source_domain)
            if ours is None or theirs is None:  # its file is broken, which DSC001 tells
                continue
            for term in self._clashes(ours, theirs, edge.source.split(".", 1)[1]):
                if (ours.name, theirs.name, term) in told:
                    continue
                told.add((ours.name, theirs.name, term))
                yield self.finding(
                    mesh.in_domain(ours, "language", term),
                    edge.product.full_name,
                    f"{term} means one thing in {theirs.name} and another in {ours.name}, "
                    f"and {edge.product.full_name} reads {edge.source}",
                    fix=f"say in {ours.name}'s definition of {term} how it follows from {theirs.name}'s",
                )

    def _clashes(self, ours: Domain, theirs: Domain, name: str) -> Iterator[str]:
        used = {singular(w) for w in words(name)}
        foreign = {_key(t): d for t, d in theirs.language.items()}
        for term, definition in ours.language.items():
            other = foreign.get(_key(term))
            if other is None or not used & {singular(w) for w in words(term)}:
                continue
            translated = {singular(w) for w in words(definition)} & {theirs.name, singular(theirs.name)}
            if _normal(other) != _normal(definition) and not translated:
                yield term


def _key(term: str) -> str:
    return " ".join(singular(w) for w in words(term))


def _normal(text: str) -> str:
    return " ".join(plain(text).lower().split()).rstrip(".")
