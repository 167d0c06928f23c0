"""Sagas: what a domain does about the events of others, as steps with commands, deadlines and ways back.

A saga is a plain value. The platform keeps one event-sourced process for each key, sends its commands through
the log, and wakes it by records, answers and deadlines. A process moves forward step by step; when a step
fails it goes back, undoing in reverse order what it has asked for.

    fulfil_order = Saga(
        name="fulfil_order",
        starts=When("orders.order_placed", by="order_id"),
        gathers=(When("orders.order_item_sold", by="order_id"),),
        aborts=(When("orders.order_cancelled", by="order_id"),),
        steps=(
            Step(
                name="reserve_stock",
                command=lambda seen: Send("inventory", "ReserveStock", {"order_id": seen.key, "lines": …}),
                done=When("inventory.stock_reserved", by="order_id"),
                fails=(When("inventory.stock_short", by="order_id"),),
                undo=lambda seen: Send("inventory", "ReleaseStock", {"order_id": seen.key}),
                timeout=timedelta(minutes=15),
            ),
            Step(name="await_payment", done=When("orders.payment_confirmed", by="order_id"), timeout=…),
        ),
    )

A record that comes before its step, or before the one that starts the process, is kept until it is wanted. Of
a topic `seen["orders.order_placed"]` gives the latest record and `seen.all("orders.order_item_sold")` all of
them, in JSON's types: decimals and moments are texts, personal texts are ciphertexts.

An automation is a rule of one step, with one process for each record:

    welcome = When("leads.payment_confirmed").then(register_customer, name="when_paid_then_register")

`Application(…, sagas=[fulfil_order, welcome])` makes a domain run them. `Send` names a domain, a command of it,
and the command's fields in JSON's types; `subject` is the person for whom the personal ones are encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from hanse.domain.codec import as_stored, encoder
from hanse.domain.messages import Command
from hanse.errors import ConfigError

Fact = Mapping[str, Any]
"""The value of a record, in JSON's types."""


@dataclass(frozen=True, slots=True)
class Send:
    """A command for a domain: its class's name and its fields in JSON's types, or an instance of it."""

    domain: str
    command: str | Command
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    subject: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.command, Command):
            body = encoder(type(self.command))(self.command, as_stored)
            object.__setattr__(self, "body", body)
            object.__setattr__(self, "command", type(self.command).__name__)
        object.__setattr__(self, "body", orjson.loads(orjson.dumps(dict(self.body), default=str)))

    @property
    def name(self) -> str:
        """The name of the command's class."""
        return self.command if isinstance(self.command, str) else type(self.command).__name__


class Facts:
    """What a process has seen: records by topic. `key` is what names the process within its saga."""

    def __init__(self, key: str, seen: Mapping[str, tuple[Fact, ...]]) -> None:
        self.key = key
        self._seen = seen

    def __contains__(self, topic: str) -> bool:
        return topic in self._seen

    def __getitem__(self, topic: str) -> Fact:
        """The latest record of the topic. Raises KeyError when none was seen."""
        return self._seen[topic][-1]

    def all(self, topic: str) -> tuple[Fact, ...]:
        """All records of the topic, in the order seen."""
        return self._seen.get(topic, ())


@dataclass(frozen=True, slots=True)
class When:
    """Records of a topic that concern a saga: `by` names the column, or makes the key of the process.

    Without `by` each record has a process of its own. `where` leaves records out. Records without key, and
    tombstones, concern nobody.
    """

    topic: str
    by: str | Callable[[Fact], str | None] | None = None
    where: Callable[[Fact], bool] | None = None

    def key(self, fact: Fact, event_id: str) -> str | None:
        """The key of the process that the record concerns, or None."""
        if self.where is not None and not self.where(fact):
            return None
        if self.by is None:
            return event_id
        found = fact.get(self.by) if isinstance(self.by, str) else self.by(fact)
        return None if found is None else str(found)

    def then(
        self,
        command: Callable[[Fact], Send | None],
        *,
        name: str | None = None,
        retry: Backoff | None = None,
        purpose: str = "",
    ) -> Saga:
        """The automation that sends the command for each of the records; None sends nothing.

        Its name is by default made of the topic's and the function's names.
        """
        topic = self.topic
        return Saga(
            name=name or f"when_{topic.replace('.', '_')}_then_{getattr(command, '__name__', 'send')}",
            starts=self,
            steps=(Step(name="then", command=lambda seen: command(seen[topic]), retry=retry),),
            purpose=purpose,
            automation=True,
        )


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a refused command is tried, and the pauses between: `pause`, then `factor` times as long.

    Forward, only the rules in `rules` are tried again: another rejection fails the step. Ways back are tried
    again whatever refused them.
    """

    attempts: int = 5
    pause: timedelta = timedelta(seconds=5)
    factor: float = 2.0
    rules: tuple[str, ...] = ()

    def after(self, attempt: int) -> timedelta:
        """The pause after the attempt of that number, from 1."""
        return self.pause * self.factor ** (attempt - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step forward, and its way back.

    `command` is sent when the step begins; without one, or when it gives None, nothing is sent. The step is
    done when a record of `done` was seen and `until`, if given, holds; without both, when the command is accepted.
    It fails after `timeout`, and without any effect by a record of `fails` or by a rejection. `undo` is sent on
    the way back when the step may have had an effect; commands of one process reach a domain in the order sent.
    """

    name: str
    command: Callable[[Facts], Send | None] | None = None
    done: When | None = None
    until: Callable[[Facts], bool] | None = None
    fails: tuple[When, ...] = ()
    undo: Callable[[Facts], Send | None] | None = None
    timeout: timedelta | None = None
    retry: Backoff | None = None

    @property
    def waits(self) -> bool:
        """Whether it needs more than an accepted command to be done."""
        return self.done is not None or self.until is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga:
    """A process of several steps, begun by a record of `starts`.

    `gathers` are further records that it wants to see; one of `aborts` makes it go back from wherever it is.
    Raises ConfigError for steps that could never end, or two of one name.
    """

    name: str
    starts: When
    steps: tuple[Step, ...]
    gathers: tuple[When, ...] = ()
    aborts: tuple[When, ...] = ()
    purpose: str = ""
    automation: bool = False

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names) or "/" in self.name:
            raise ConfigError(f"the saga {self.name} needs steps of different names, and no / in its own")
        for step in self.steps:
            if step.command is None and not step.waits:
                raise ConfigError(f"the step {step.name} of {self.name} sends nothing and waits for nothing")

    @property
    def listens(self) -> tuple[When, ...]:
        """All records that concern it."""
        steps = [when for step in self.steps for when in (step.done, *step.fails) if when is not None]
        found = (self.starts, *self.gathers, *self.aborts, *steps)
        return tuple(dict.fromkeys(found))

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)


def fact_text(value: Mapping[str, Any]) -> str:
    """The record's value as JSON: decimals and moments as texts."""
    return orjson.dumps(dict(value), default=_plain).decode()


def _plain(item: Any) -> Any:
    return item.hex() if isinstance(item, bytes) else str(item)


__all__ = ["Backoff", "Fact", "Facts", "Saga", "Send", "Step", "When"]
