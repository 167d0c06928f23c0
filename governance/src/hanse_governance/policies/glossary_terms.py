"""LNG001."""

from __future__ import annotations

from collections.abc import Iterator

from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView
from hanse_governance.words import event_verb, singular, words


class GlossaryTerms(Policy):
    """What a topic is about is a term of the domain's language in `domain.yaml`.

    For an event that is what stands before the verb (`order_placed` → Order), for a state topic its name
    (`orders` → Order). One of the words is enough when the term has several.

    ## Examples

    Breaks it: the topic `parcel_sent` in a domain whose `language` has no Parcel.

    Keeps it: `language: {Parcel: "What the carrier takes along, with one label."}`.
    """

    code = "LNG001"
    name = "term-not-in-glossary"
    severity = "warning"
    why = "A word that the domain has not defined means something else to each reader."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Each topic; a domain without any language gets one finding."""
        for domain in mesh.model.domains:
            if domain.own_topics and not domain.language:
                yield self.finding(
                    mesh.in_domain(domain, "language"),
                    domain.name,
                    f"{domain.name} publishes topics and defines no terms",
                    fix="define its words under `language` in domain.yaml",
                )
                continue
            known = {singular(w) for term in domain.language for w in words(term)}
            for topic in domain.own_topics:
                parts = words(topic.name)
                verb = event_verb(topic.name) if topic.kind == "events" else None
                about = parts[:verb] if verb else parts
                if not any(singular(w) in known for w in about):
                    yield self.finding(
                        mesh.in_topic(topic),
                        topic.full_name,
                        f"{' '.join(about)!r} in {topic.full_name} is no term of {domain.name}",
                        fix="define it under `language` in domain.yaml, or use the domain's own word",
                    )
