"""The toolkit by which a team builds its domain: aggregates, events, commands and their service.

A domain's code imports from here (and `hanse.domain.demo` for its demo streams) and nothing else of Hanse.
"""

from hanse.domain.aggregate import Aggregate, applies, decides
from hanse.domain.application import Application, Integration, Publish
from hanse.domain.discovery import load
from hanse.domain.messages import (
    Command,
    Entity,
    Event,
    PersonalText,
    ValueObject,
    command,
    event,
    require,
    upcaster,
    value,
)
from hanse.domain.saga import Backoff, Fact, Facts, Saga, Send, Step, When
from hanse.domain.service import Accepted, ApplicationService, Rejected, Request, RetryPolicy
from hanse.domain.values import Money, moment_of
from hanse.errors import CommandRejected
from hanse.model.envelope import Envelope

__all__ = [
    "Accepted",
    "Aggregate",
    "Application",
    "ApplicationService",
    "Backoff",
    "Command",
    "CommandRejected",
    "Entity",
    "Envelope",
    "Event",
    "Fact",
    "Facts",
    "Integration",
    "Money",
    "PersonalText",
    "Publish",
    "Rejected",
    "Request",
    "RetryPolicy",
    "Saga",
    "Send",
    "Step",
    "ValueObject",
    "When",
    "applies",
    "command",
    "decides",
    "event",
    "load",
    "moment_of",
    "require",
    "upcaster",
    "value",
]
