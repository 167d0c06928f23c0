"""LNG003."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import Domain
from hanse_governance.finding import Finding, Location
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView
from hanse_governance.words import singular, synonyms, words


class Synonyms(Policy):
    """A domain uses one word for one thing in its topics and fields.

    Two words of one meaning are fine when the glossary defines both: then they are two things.

    ## Examples

    Breaks it: `customer_id` in one schema of the domain and `client_id` in another.

    Keeps it: `customer_id` in both; or `language` has Customer and Client, with different definitions.
    """

    code = "LNG003"
    name = "one-thing-two-words"
    severity = "warning"
    why = "Two words for one thing make readers look for the difference, and joins go by the wrong one."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """One finding for each pair in a domain, at the word that is used less."""
        for domain in mesh.model.domains:
            places = self._places(mesh, domain)
            terms = {singular(w) for term in domain.language for w in words(term)}
            for group in synonyms():
                used = sorted(group & places.keys(), key=lambda w: (w not in terms, -len(places[w]), w))
                for word in used[1:]:
                    if not {used[0], word} <= terms:
                        yield self.finding(
                            places[word][0],
                            domain.name,
                            f"{domain.name} says both {used[0]!r} and {word!r}",
                            fix=f"use {used[0]!r}, or define both under `language` if they differ",
                        )

    def _places(self, mesh: MeshView, domain: Domain) -> dict[str, list[Location]]:
        places: dict[str, list[Location]] = {}
        candidates = frozenset[str]().union(*synonyms())
        for topic in domain.own_topics:
            schema = mesh.schemas.get(topic.full_name)
            for word in {singular(w) for w in words(topic.name)} & candidates:
                places.setdefault(word, []).append(mesh.in_topic(topic))
            for field in schema.fields if schema else []:
                for word in {singular(w) for w in words(str(field["name"]))} & candidates:
                    at = mesh.in_schema(topic, "fields", ("name", field["name"]))
                    places.setdefault(word, []).append(at)
        return places
