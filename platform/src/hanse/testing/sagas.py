"""Given what a saga has seen, when something comes, then these commands leave.

given(sell, fact("sales.sale_placed", sale_id="s1"), accepted()).when(
    fact("sales.sale_paid", sale_id="s1")
).then(Send("stock", "Ship", {"sale_id": "s1"}))
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from hanse.domain.messages import Command
from hanse.domain.process import Process, processes_of
from hanse.domain.process_messages import Answer, CommandSent, Due, Notice
from hanse.domain.saga import Saga, Send, fact_text
from hanse.testing.aggregates import Rejection

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment at which a saga's test begins."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of a topic."""

    topic: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The pending command was accepted."""


Trigger = Seen | Accepted | Rejection | timedelta


class GivenSaga:
    """A saga's process with a past. `status` is what it is now, `process` the process itself."""

    def __init__(self, saga: Saga, past: tuple[Trigger, ...]) -> None:
        self._saga = saga
        self._at = BEGINNING
        self._count = 0
        self._id = ""
        self.process: Process = processes_of({saga.name: saga})()
        self.sent: list[Send] = []
        for trigger in past:
            self._take(trigger)

    @property
    def status(self) -> str:
        """waiting, running, compensating, stuck, completed, compensated or aborted."""
        return self.process.status

    def when(self, trigger: Trigger) -> GivenSaga:
        """Let a record come, an answer (`accepted()`, `rejected(rule)`), or time pass (a timedelta)."""
        self.sent = []
        self._take(trigger)
        return self

    def then(self, *expected: Send, status: str | None = None) -> GivenSaga:
        """Assert exactly these commands, and perhaps the status; returns itself for the next `when`."""
        assert self.sent == list(expected), f"expected {list(expected)!r}, got {self.sent!r}"
        assert status in (None, self.status), f"expected {status}, got {self.status}: {self.process.reason}"
        return self

    def _take(self, trigger: Trigger) -> None:
        if isinstance(trigger, timedelta):
            self._at += trigger
            while (due := self.process.due_at) is not None and due <= self._at:
                self._decide(Due(process_id=self._id, at=self._at))
            return
        self._decide(self._notice(trigger) if isinstance(trigger, Seen) else self._answer(trigger))

    def _notice(self, seen: Seen) -> Notice:
        self._count += 1
        event_id = f"event-{self._count}"
        body = fact_text(seen.value)
        keys = [w.key(orjson.loads(body), event_id) for w in self._saga.listens if w.topic == seen.topic]
        key = next((key for key in keys if key is not None), None)
        assert key is not None, f"the saga {self._saga.name} does not care for {seen!r}"
        self._id = f"{self._saga.name}/{key}"
        return Notice(
            process_id=self._id,
            topic=seen.topic,
            event_id=event_id,
            body=body,
            correlation_id="test",
            at=self._at,
        )

    def _answer(self, answer: Accepted | Rejection) -> Answer:
        pending = self.process.pending
        assert pending is not None, "the saga has no command that waits for an answer"
        rule = answer.rule if isinstance(answer, Rejection) else None
        return Answer(
            process_id=self._id, answered=pending.command_id, rule=rule, message="by the test", at=self._at
        )

    def _decide(self, command: Command) -> None:
        for event in self.process.decide(command):
            self.process.apply(event)
            if isinstance(event, CommandSent):
                send = Send(event.domain, event.command, orjson.loads(event.body), event.subject)
                self.sent.append(send)
