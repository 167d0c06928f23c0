"""What happens to the processes of sagas, as events, and what wakes them, as commands of the platform's own."""

from __future__ import annotations

from datetime import datetime

from hanse.domain.aggregate import Aggregate, applies
from hanse.domain.messages import Command, Event, command, event

PLATFORM = "hanse."
"""The beginning of the names of the platform's own events."""


@command
class Notice(Command):
    """A record that concerns the process has come. `body` is JSON."""

    process_id: str
    topic: str
    event_id: str
    body: str
    correlation_id: str
    at: datetime


@command
class Answer(Command):
    """What became of a command that the process has sent."""

    process_id: str
    answered: str
    rule: str | None
    message: str | None
    at: datetime


@command
class Due(Command):
    """A moment for which the process has waited has come."""

    process_id: str
    at: datetime


@command
class Resume(Command):
    """Try again where the process is stuck."""

    process_id: str
    at: datetime


@command
class Abort(Command):
    """Go back from where the process is; a process that is stuck on its way back is given up."""

    process_id: str
    reason: str
    at: datetime


@command
class Unreadable(Command):
    """A command that came over the log and cannot be made one of the domain's: refused by the rule."""

    name: str
    rule: str
    message: str


@event("hanse.SagaNoticed")
class Noticed(Event):
    """A record was seen."""

    process_id: str
    topic: str
    event_id: str
    body: str
    correlation_id: str
    at: datetime


@event("hanse.SagaStepBegun")
class StepBegun(Event):
    """The process has come to a step, to be done by `deadline` if there is one."""

    process_id: str
    step: str
    deadline: datetime | None
    at: datetime


@event("hanse.SagaCommandSent")
class CommandSent(Event):
    """A command leaves for a domain, by the relay. `attempt` counts from 1 within the step and direction."""

    process_id: str
    step: str
    undo: bool
    attempt: int
    command_id: str
    domain: str
    command: str
    body: str
    subject: str | None
    correlation_id: str
    at: datetime


@event("hanse.SagaAnswered")
class Answered(Event):
    """The domain has answered the command: accepted, or refused by a rule."""

    process_id: str
    step: str
    undo: bool
    command_id: str
    rule: str | None
    message: str | None
    at: datetime


@event("hanse.SagaRetryPlanned")
class RetryPlanned(Event):
    """The refused command will be tried again."""

    process_id: str
    step: str
    retry_at: datetime
    at: datetime


@event("hanse.SagaStepDone")
class StepDone(Event):
    """The step has ended well."""

    process_id: str
    step: str
    at: datetime


@event("hanse.SagaTurnedBack")
class TurnedBack(Event):
    """The process goes back. `undo` names the steps to undo, in that order; `unsure` has those of unknown effect."""

    process_id: str
    step: str
    reason: str
    undo: tuple[str, ...]
    unsure: tuple[str, ...]
    at: datetime


@event("hanse.SagaStepUndone")
class StepUndone(Event):
    """The step was undone, or there was nothing to undo."""

    process_id: str
    step: str
    at: datetime


@event("hanse.SagaStuck")
class Stuck(Event):
    """The process needs a person: see `hanse saga resume` and `abort`."""

    process_id: str
    step: str
    reason: str
    at: datetime


@event("hanse.SagaResumed")
class Resumed(Event):
    """A person has let a stuck process try again."""

    process_id: str
    step: str
    deadline: datetime | None
    at: datetime


@event("hanse.SagaEnded")
class Ended(Event):
    """The process has ended: completed, compensated, or given up."""

    process_id: str
    outcome: str
    at: datetime


@event("hanse.CommandAnswered")
class CommandAnswered(Event):
    """A command that came over the log was handled; the relay carries the answer back to `reply_to`."""

    command_id: str
    command: str
    reply_to: str
    process_id: str
    rule: str | None
    message: str | None


class HandledCommand(Aggregate, name="handled-command", identity="command_id"):
    """A command that came over the log: its one event is the answer."""

    @applies(CommandAnswered)
    def _answered(self, event: CommandAnswered) -> None:
        """Nothing follows."""
