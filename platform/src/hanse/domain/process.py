"""The process of a saga: an aggregate whose events are what it saw, sent and decided."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hanse.domain import process_messages as m
from hanse.domain.aggregate import Aggregate, applies, decides
from hanse.domain.messages import Event, require
from hanse.domain.saga import Backoff, Fact, Facts, Saga, Send, Step, When, fact_text
from hanse.errors import HanseError
from hanse.ports.event_store import ProcessRow

ENDED = ("completed", "compensated", "aborted")
_NAMESPACE = uuid.UUID("3c0a2a55-4b8f-4a57-8b0f-0f6a1f5c9d11")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALMOST_A_MILLISECOND = timedelta(microseconds=999)
_FAULTS = (HanseError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)


class Process(Aggregate, name="saga", identity="process_id"):
    """One run of a saga, named `<saga>/<key>`.

    `status` is waiting (not begun), running, compensating, stuck, completed, compensated or aborted.
    """

    sagas: ClassVar[Mapping[str, Saga]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.process_id = ""
        self.correlation_id = ""
        self.status = "waiting"
        self.stuck_in = ""
        self.reason = ""
        self.facts: dict[str, tuple[Fact, ...]] = {}
        self.step = ""
        self.done: tuple[str, ...] = ()
        self.undo: tuple[str, ...] = ()
        self.unsure: tuple[str, ...] = ()
        self.pending: m.CommandSent | None = None
        self.accepted = False
        self.attempt = 0
        self.deadline: datetime | None = None
        self.retry_at: datetime | None = None
        self.updated_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """The next moment at which it must be woken."""
        if self.status not in ("running", "compensating"):
            return None
        moments = [moment for moment in (self.deadline, self.retry_at) if moment is not None]
        return min(moments) if moments else None

    def row(self) -> ProcessRow:
        """The process as the store indexes it."""
        return ProcessRow(
            self.process_id,
            self.status,
            self.step,
            None if self.due_at is None else millis(self.due_at + _ALMOST_A_MILLISECOND),
            self.reason,
            self.correlation_id,
            0 if self.updated_at is None else millis(self.updated_at),
        )

    @decides(m.Notice)
    def notice(self, command: m.Notice) -> list[Event]:
        """See a record, and go on if it is what the step waits for."""
        if self.status in ENDED:
            return []
        run = self._run(command.process_id, command.at)
        run.emit(
            m.Noticed(
                process_id=command.process_id,
                topic=command.topic,
                event_id=command.event_id,
                body=command.body,
                correlation_id=command.correlation_id,
                at=command.at,
            )
        )
        run.seen(command.topic)
        return run.events

    @decides(m.Answer)
    def answer(self, command: m.Answer) -> list[Event]:
        """Take the answer to the command that is pending; others come too late to matter."""
        pending = self.pending
        if pending is None or pending.command_id != command.answered or self.accepted:
            return []
        run = self._run(command.process_id, command.at)
        run.emit(
            m.Answered(
                process_id=command.process_id,
                step=pending.step,
                undo=pending.undo,
                command_id=command.answered,
                rule=command.rule,
                message=command.message,
                at=command.at,
            )
        )
        if self.status != "stuck":
            run.answered(pending, command.rule, command.message)
        return run.events

    @decides(m.Due)
    def due(self, command: m.Due) -> list[Event]:
        """Try again, or turn back, when the moment has come."""
        run = self._run(command.process_id, command.at)
        if self.status not in ("running", "compensating"):
            return []
        if self.retry_at is not None and self.retry_at <= command.at:
            run.send_again()
        elif self.deadline is not None and self.deadline <= command.at:
            run.turn_back(f"the step {self.step} was not done in time")
        return run.events

    @decides(m.Resume)
    def resume(self, command: m.Resume) -> list[Event]:
        """Try again where it is stuck."""
        require(self.version > 0, "saga-known", "there is no such saga")
        require(self.status == "stuck", "saga-not-stuck", f"the saga is {self.status}")
        run = self._run(command.process_id, command.at)
        run.resume()
        return run.events

    @decides(m.Abort)
    def abort(self, command: m.Abort) -> list[Event]:
        """Go back; a process stuck on its way back, or not begun, ends as it is."""
        require(self.version > 0, "saga-known", "there is no such saga")
        require(self.status not in ENDED, "saga-ended", f"the saga is {self.status}")
        require(self.status != "compensating", "saga-compensating", "the saga is on its way back already")
        run = self._run(command.process_id, command.at)
        if self.status == "waiting" or self.stuck_in == "compensating":
            run.emit(m.Ended(process_id=self.process_id, outcome="aborted", at=command.at))
        else:
            run.turn_back(command.reason)
        return run.events

    @applies(m.Noticed)
    def _noticed(self, event: m.Noticed) -> None:
        self.process_id = event.process_id
        self.correlation_id = self.correlation_id or event.correlation_id
        self.facts = {**self.facts, event.topic: (*self.facts.get(event.topic, ()), json.loads(event.body))}
        self.updated_at = event.at

    @applies(m.StepBegun)
    def _step_begun(self, event: m.StepBegun) -> None:
        self.status, self.step, self.deadline = "running", event.step, event.deadline
        self._nothing_pending(event.at)

    @applies(m.CommandSent)
    def _command_sent(self, event: m.CommandSent) -> None:
        self.pending, self.accepted, self.attempt = event, False, event.attempt
        self.step, self.retry_at, self.updated_at = event.step, None, event.at

    @applies(m.Answered)
    def _answered(self, event: m.Answered) -> None:
        self.accepted, self.updated_at = event.rule is None, event.at
        if event.rule is not None:
            self.reason = f"{event.rule}: {event.message}"

    @applies(m.RetryPlanned)
    def _retry_planned(self, event: m.RetryPlanned) -> None:
        self.retry_at, self.updated_at = event.retry_at, event.at

    @applies(m.StepDone)
    def _step_done(self, event: m.StepDone) -> None:
        self.done, self.deadline = (*self.done, event.step), None
        self._nothing_pending(event.at)

    @applies(m.TurnedBack)
    def _turned_back(self, event: m.TurnedBack) -> None:
        self.status, self.reason, self.deadline = "compensating", event.reason, None
        self.undo, self.unsure, self.stuck_in = event.undo, event.unsure, ""
        self._nothing_pending(event.at)

    @applies(m.StepUndone)
    def _step_undone(self, event: m.StepUndone) -> None:
        self.undo = tuple(name for name in self.undo if name != event.step)
        self._nothing_pending(event.at)

    @applies(m.Stuck)
    def _stuck(self, event: m.Stuck) -> None:
        self.stuck_in, self.status = self.status, "stuck"
        self.step, self.reason, self.updated_at = event.step, event.reason, event.at
        self.retry_at = None

    @applies(m.Resumed)
    def _resumed(self, event: m.Resumed) -> None:
        self.status, self.stuck_in = self.stuck_in, ""
        self.deadline, self.updated_at = event.deadline, event.at

    @applies(m.Ended)
    def _ended(self, event: m.Ended) -> None:
        self.status, self.deadline = event.outcome, None
        self._nothing_pending(event.at)

    def _nothing_pending(self, at: datetime) -> None:
        self.pending, self.accepted, self.attempt = None, False, 0
        self.retry_at, self.updated_at = None, at

    def _run(self, process_id: str, at: datetime) -> _Run:
        name, _, key = process_id.partition("/")
        saga = self.sagas.get(name)
        require(saga is not None, "saga-known", f"the domain has no saga {name!r}")
        assert saga is not None
        return _Run(saga, key, copy.copy(self), at)


class _Run:
    """Takes a process on from one trigger: emits events, and follows them on a copy of the process."""

    def __init__(self, saga: Saga, key: str, process: Process, at: datetime) -> None:
        self.saga = saga
        self.key = key
        self.process = process
        self.at = at
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.process.apply(event)

    def seen(self, topic: str) -> None:
        """React to a record of the topic."""
        if self.process.status == "waiting":
            if topic == self.saga.starts.topic and self._has(self.saga.starts):
                self._begin(self.saga.steps[0])
        elif self.process.status == "running" and not self._turn_back_if_told():
            self._done_if_satisfied()

    def answered(self, pending: m.CommandSent, rule: str | None, message: str | None) -> None:
        """React to the answer to the pending command."""
        if pending.undo:
            self._undo_answered(pending, rule)
        elif rule is None:
            self._done_if_satisfied()
        else:
            step = self._step()
            retry = step.retry if step else None
            if retry is not None and rule in retry.rules and pending.attempt < retry.attempts:
                self._plan_retry(retry, pending.attempt)
            else:
                self.turn_back(f"{pending.command} was refused: {rule}: {message}", refused=True)

    def send_again(self) -> None:
        """Send the pending command once more."""
        if self.process.status == "compensating":
            self._undo_next(self.process.attempt + 1)
        elif (step := self._step()) is not None:
            self._send(step, undo=False, attempt=self.process.attempt + 1)

    def resume(self) -> None:
        """Take up the process where it is stuck; its step gets its whole time again."""
        process = self.process
        step = self.saga.step(process.step)
        forward = process.stuck_in == "running" and step is not None and step.timeout is not None
        deadline = self.at + step.timeout if forward and step and step.timeout else None
        self.emit(m.Resumed(process_id=process.process_id, step=process.step, deadline=deadline, at=self.at))
        if process.status == "compensating":
            self._undo_next()
        elif step is None:
            self._lost(process.step)
        elif process.pending is None:
            self._begin(step)
        elif not self._turn_back_if_told():
            self._done_if_satisfied()

    def turn_back(self, reason: str, *, refused: bool = False) -> None:
        """Begin the way back: with this step, unless its command was never sent or had no effect."""
        process = self.process
        sent = [process.step] if process.pending is not None and not refused else []
        undo = tuple(reversed([*process.done, *sent]))
        self.emit(
            m.TurnedBack(
                process_id=process.process_id,
                step=process.step,
                reason=reason,
                undo=undo,
                unsure=() if process.accepted else tuple(sent),
                at=self.at,
            )
        )
        self._undo_next()

    def _begin(self, step: Step) -> None:
        deadline = self.at + step.timeout if step.timeout is not None else None
        self.emit(
            m.StepBegun(process_id=self.process.process_id, step=step.name, deadline=deadline, at=self.at)
        )
        if self._turn_back_if_told():
            return
        if step.waits and self._satisfied(step):
            self._step_done(step)
        elif step.command is not None and self.process.status == "running":
            self._send(step, undo=False, attempt=1)

    def _done_if_satisfied(self) -> None:
        step = self._step()
        if step is not None and self._satisfied(step):
            self._step_done(step)

    def _satisfied(self, step: Step) -> bool:
        if not step.waits:
            return self.process.accepted
        if step.done is not None and not self._has(step.done):
            return False
        until = step.until
        return until is None or self._asked(lambda: until(self._facts()))

    def _has(self, when: When) -> bool:
        """Whether a record was seen that `when` means."""
        seen, where = self.process.facts.get(when.topic, ()), when.where
        return bool(seen) and (where is None or self._asked(lambda: any(where(fact) for fact in seen)))

    def _facts(self) -> Facts:
        return Facts(self.key, self.process.facts)

    def _step_done(self, step: Step) -> None:
        self.emit(m.StepDone(process_id=self.process.process_id, step=step.name, at=self.at))
        following = self.saga.steps.index(step) + 1
        if following < len(self.saga.steps):
            self._begin(self.saga.steps[following])
        else:
            self._end("completed")

    def _turn_back_if_told(self) -> bool:
        """Turn back when a record was seen that says so."""
        if self.process.status != "running":
            return False
        step = self.saga.step(self.process.step)
        failed = self._told(step.fails) if step else None
        topic = failed or self._told(self.saga.aborts)
        if topic is not None:
            self.turn_back(f"a record of {topic} came", refused=failed is not None)
        return topic is not None

    def _told(self, whens: tuple[When, ...]) -> str | None:
        return next((when.topic for when in whens if self._has(when)), None)

    def _undo_next(self, attempt: int = 1) -> None:
        while self.process.undo:
            name = self.process.undo[0]
            step = self.saga.step(name)
            if step is None:
                self._lost(name)
                return
            if step.undo is not None and self._send(step, undo=True, attempt=attempt):
                return
            if self.process.status == "stuck":
                return
            attempt = 1
            self.emit(m.StepUndone(process_id=self.process.process_id, step=name, at=self.at))
        self._end("compensated")

    def _undo_answered(self, pending: m.CommandSent, rule: str | None) -> None:
        step = self.saga.step(pending.step)
        retry = (step.retry if step else None) or Backoff()
        without_effect = step is not None and self._told(step.fails) is not None
        if rule is None or without_effect or pending.step in self.process.unsure:
            self.emit(m.StepUndone(process_id=self.process.process_id, step=pending.step, at=self.at))
            self._undo_next()
        elif pending.attempt < retry.attempts:
            self._plan_retry(retry, pending.attempt)
        else:
            self._stuck(f"{pending.command} was refused {pending.attempt} times: {self.process.reason}")

    def _plan_retry(self, retry: Backoff, attempt: int) -> None:
        at = self.at + retry.after(attempt)
        process = self.process
        self.emit(m.RetryPlanned(process_id=process.process_id, step=process.step, retry_at=at, at=self.at))

    def _send(self, step: Step, *, undo: bool, attempt: int) -> bool:
        """Send the step's command, or the one that undoes it; False when there is none."""
        make = step.undo if undo else step.command
        assert make is not None
        try:
            made = make(self._facts())
        except _FAULTS as error:
            self._stuck(f"{type(error).__name__}: {error}", step.name)
            return False
        if made is None:
            if not undo:
                self._step_done(step)
            return False
        self.emit(self._sent(step, made, undo=undo, attempt=attempt))
        return True

    def _sent(self, step: Step, made: Send, *, undo: bool, attempt: int) -> m.CommandSent:
        process = self.process
        return m.CommandSent(
            process_id=process.process_id,
            step=step.name,
            undo=undo,
            attempt=attempt,
            command_id=str(uuid.uuid5(_NAMESPACE, f"{process.process_id}/{process.version + 1}")),
            domain=made.domain,
            command=made.name,
            body=fact_text(made.body),
            subject=made.subject,
            correlation_id=process.correlation_id,
            at=self.at,
        )

    def _asked(self, question: Callable[[], bool]) -> bool:
        try:
            return bool(question())
        except _FAULTS as error:
            self._stuck(f"{type(error).__name__}: {error}")
            return False

    def _step(self) -> Step | None:
        """The step at which the process is; a process whose step was removed from the code is stuck."""
        step = self.saga.step(self.process.step)
        if step is None:
            self._lost(self.process.step)
        return step

    def _lost(self, name: str) -> None:
        self._stuck(f"the saga {self.saga.name} has no step {name!r} any more")

    def _stuck(self, reason: str, step: str = "") -> None:
        process = self.process
        self.emit(
            m.Stuck(process_id=process.process_id, step=step or process.step, reason=reason, at=self.at)
        )

    def _end(self, outcome: str) -> None:
        self.emit(m.Ended(process_id=self.process.process_id, outcome=outcome, at=self.at))


def processes_of(sagas: Mapping[str, Saga]) -> type[Process]:
    """The aggregate of these sagas' processes."""

    class DomainProcess(Process, name="saga", identity="process_id"):
        pass

    DomainProcess.sagas = sagas
    DomainProcess.deciders, DomainProcess.appliers = Process.deciders, Process.appliers
    return DomainProcess


def command_uuid(*parts: str) -> uuid.UUID:
    """The id of the platform's own command about these: the same whenever it is derived again."""
    return uuid.uuid5(_NAMESPACE, "\0".join(parts))


def millis(moment: datetime) -> int:
    """Whole milliseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
