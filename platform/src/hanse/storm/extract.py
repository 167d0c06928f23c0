"""Finds the notes and arrows of a mesh: from the classes of its applications and from its descriptors."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hanse.domain.aggregate import Aggregate
from hanse.domain.application import Application
from hanse.domain.discovery import load
from hanse.domain.messages import Event
from hanse.domain.saga import Saga, Send, Step
from hanse.model.mesh import Domain, MeshModel, Topic
from hanse.storm.model import Arrow, Board, Kind, Lane, Note, Relation, SagaStep
from hanse.storm.probe import probe


def board_of(model: MeshModel) -> Board:
    """The board of the mesh. Raises ConfigError when a domain's code cannot be loaded."""
    applications = {domain.name: load(domain) for domain in model.domains}
    topics = {topic.full_name: topic for domain in model.domains for topic in domain.topics}
    arrows: dict[Arrow, None] = {}
    lanes: list[Lane] = []
    for domain in model.domains:
        drawn = _Lane(domain, applications[domain.name], topics, arrows)
        drawn.products(model)
        lanes.append(Lane(domain.name, domain.purpose, domain.team.name, tuple(drawn.notes.values())))
    known = {note.id for lane in lanes for note in lane.notes}
    kept = tuple(arrow for arrow in arrows if arrow.source in known and arrow.target in known)
    return Board(tuple(_in_order(lanes, kept)), kept)


class _Lane:
    """Collects the notes of one domain, and the arrows that begin or end at them."""

    def __init__(
        self,
        domain: Domain,
        application: Application | None,
        topics: Mapping[str, Topic],
        arrows: dict[Arrow, None],
    ) -> None:
        self.domain = domain
        self.notes: dict[str, Note] = {}
        self._topics = topics
        self._arrows = arrows
        for system, commands in domain.systems.items():
            note = self._note("system", system)
            for command in commands:
                self._arrow(note, f"command:{domain.name}.{command}", "asks")
        for aggregate in application.aggregates if application else ():
            self._aggregate(aggregate)
        for topic in domain.topics:
            self._note("topic", topic.name, state=topic.kind == "state")
        if application is not None:
            self._published(application)
            for saga in application.sagas.values():
                self._saga(saga)

    def products(self, model: MeshModel) -> None:
        """The domain's read models."""
        products = {product.full_name for product in model.products}
        for product in model.products:
            if product.domain == self.domain.name and product.lifecycle != "retired":
                note = self._note("read_model", product.name, about=product.purpose)
                for name in product.inputs:
                    self._arrow(f"{'read_model' if name in products else 'topic'}:{name}", note, "feeds")

    def _note(
        self,
        kind: Kind,
        name: str,
        *,
        about: str = "",
        public: bool = True,
        state: bool = False,
        steps: tuple[SagaStep, ...] = (),
    ) -> str:
        note = Note(
            f"{kind}:{self.domain.name}.{name}", kind, self.domain.name, name, about, public, state, steps
        )
        self.notes.setdefault(note.id, note)
        return note.id

    def _arrow(self, source: str, target: str, relation: Relation) -> None:
        self._arrows[Arrow(source, target, relation)] = None

    def _aggregate(self, aggregate: type[Aggregate]) -> None:
        whole = self._note("aggregate", aggregate.__name__, about=_about(aggregate))
        for command, method in aggregate.deciders.items():
            asked = self._note("command", command.__name__, about=_about(command))
            self._arrow(asked, whole, "decides")
            for event in _events_of(getattr(aggregate, method)):
                self._arrow(asked, self._event(event), "records")
        for event in aggregate.appliers:
            self._arrow(whole, self._event(event), "records")

    def _event(self, event: type[Event]) -> str:
        return self._note("event", event.event_name, about=_about(event))

    def _published(self, application: Application) -> None:
        integration = application.integration
        for event in integration.private if integration else ():
            note = f"event:{self.domain.name}.{event.event_name}"
            known = self.notes[note]
            self.notes[note] = Note(note, "event", self.domain.name, known.name, known.about, public=False)
        names = {topic.name for topic in self.domain.topics}
        for event, mappings in integration.mappings.items() if integration else ():
            for name in sorted({name for mapping in mappings for name in _texts(mapping) & names}):
                topic = f"topic:{self.domain.name}.{name}"
                self._arrow(f"event:{self.domain.name}.{event.event_name}", topic, "publishes")

    def _saga(self, saga: Saga) -> None:
        steps = tuple(self._step(saga, step) for step in saga.steps)
        kind: Kind = "policy" if saga.automation else "saga"
        note = self._note(kind, saga.name, about=saga.purpose, steps=() if saga.automation else steps)
        for when in saga.listens:
            self._arrow(f"topic:{when.topic}", note, "wakes")
        for step in steps:
            if step.command:
                self._arrow(note, step.command, "sends")
            if step.undo:
                self._arrow(note, step.undo, "undoes")

    def _step(self, saga: Saga, step: Step) -> SagaStep:
        sent = probe(step.command, saga, step, self._topics) if step.command else None
        undone = probe(step.undo, saga, step, self._topics) if step.undo else None
        return SagaStep(
            step.name,
            command=_command_id(sent),
            waits_for=f"topic:{step.done.topic}" if step.done else "",
            fails_by=tuple(f"topic:{when.topic}" for when in step.fails),
            undo=_command_id(undone),
            timeout_s=step.timeout.total_seconds() if step.timeout else None,
        )


def _command_id(sent: Send | None) -> str:
    return f"command:{sent.domain}.{sent.name}" if sent else ""


def _about(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def _events_of(method: Any) -> list[type[Event]]:
    """The events that a deciding method says it returns."""
    hint = typing.get_type_hints(method).get("return")
    found: list[type[Event]] = []
    waiting = [hint]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, type) and issubclass(one, Event) and one is not Event:
            found.append(one)
        waiting.extend(typing.get_args(one))
    return found


def _texts(function: Any, depth: int = 2) -> set[str]:
    """The texts in a function's code, and in that of the module's functions that it calls."""
    code = getattr(function, "__code__", None)
    if code is None:
        return set()
    found: set[str] = set()
    codes = [code]
    while codes:
        one = codes.pop()
        found.update(c for c in one.co_consts if isinstance(c, str))
        codes.extend(c for c in one.co_consts if isinstance(c, types.CodeType))
        called = [function.__globals__.get(name) for name in one.co_names] if depth else []
        for other in called:
            if isinstance(other, types.FunctionType) and other.__module__ == function.__module__:
                found |= _texts(other, depth - 1)
    return found


def _in_order(lanes: Sequence[Lane], arrows: Iterable[Arrow]) -> list[Lane]:
    """A lane after those whose topics wake its policies or that send it commands; readers come last."""
    before: dict[str, set[str]] = {lane.domain: set() for lane in lanes}
    kinds = {note.id: note for lane in lanes for note in lane.notes}
    for arrow in arrows:
        source, target = kinds[arrow.source], kinds[arrow.target]
        woken = arrow.relation == "wakes" and target.kind == "policy"
        if source.domain != target.domain and (woken or arrow.relation in ("sends", "undoes")):
            before[target.domain].add(source.domain)
    decide = {lane.domain for lane in lanes if any(n.kind == "command" for n in lane.notes)}
    done: list[Lane] = []
    waiting = sorted(lanes, key=lambda lane: (lane.domain not in decide, lane.domain))
    while waiting:
        names = {lane.domain for lane in waiting}
        ready = next((lane for lane in waiting if not before[lane.domain] & names), waiting[0])
        waiting.remove(ready)
        done.append(ready)
    return done
