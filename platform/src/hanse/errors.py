"""Every error that Hanse raises on purpose, in one hierarchy.

    HanseError
    ├── ConfigError              settings, descriptors, files of a mesh
    ├── CommandRejected          a business rule said no (rule, message)
    ├── StoreError               the event store
    │   ├── ConcurrencyConflict  another writer was first
    │   ├── RelayHeld            another relay runs on the store
    │   └── SubjectForgotten     a person's key was destroyed
    ├── LogError                 the event log
    │   ├── UnknownTopic
    │   ├── TopicDrift           the topic exists with other settings
    │   └── HistoryLost          offsets gone, or the topic was made again
    ├── SchemaError              schemas and the registry
    │   ├── UnknownSchema        the registry answered that it has no such schema
    │   ├── IncompatibleSchema
    │   └── DecodeError
    ├── ProjectionError          a projection stopped: too many unreadable records, a failing expression
    ├── UnsupportedSQL           the projection language (clause, line, column, advice)
    ├── PublicationError         from state to readers
    │   ├── PublicationRejected  a contract check failed; readers keep the last good snapshot
    │   ├── LeaseHeld            another process owns the product
    │   └── StaleWriter          this process lost its lease
    └── QueryRefused             untrusted SQL outside the allow-list

A message says what, where, expected, got, and what to do next.
"""

from __future__ import annotations


class HanseError(Exception):
    """Base of all: `what` is one sentence; the rest is optional detail printed line by line."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.fix = fix

    def __str__(self) -> str:
        details = (
            ("where", self.where),
            ("expected", self.expected),
            ("got", self.got),
            ("fix", self.fix),
        )
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in details if text)])


class ConfigError(HanseError):
    """A setting, a descriptor or a file of the mesh is wrong."""


class CommandRejected(HanseError):
    """A business rule refused a command; the stream is untouched."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule
        self.message = message


class StoreError(HanseError):
    """The event store could not do what was asked."""


class ConcurrencyConflict(StoreError):
    """Another writer appended to the same stream first."""


class RelayHeld(StoreError):
    """Another relay runs on the store, or has taken over from this one."""


class SubjectForgotten(StoreError):
    """The data subject was forgotten: nothing can be encrypted for it any more."""


class LogError(HanseError):
    """The event log could not do what was asked."""


class UnknownTopic(LogError):
    """No topic has that name."""


class TopicDrift(LogError):
    """The topic exists with settings other than those declared."""


class HistoryLost(LogError):
    """Records that a reader still needs are gone, or the topic was deleted and made again."""


class SchemaError(HanseError):
    """A schema is malformed, unknown or unusable."""


class UnknownSchema(SchemaError):
    """The registry has no schema of that id, subject or version; it did answer."""


class IncompatibleSchema(SchemaError):
    """A new version would break readers or writers of an older one; `findings` has all the reasons."""

    findings: tuple[object, ...] = ()
    mode: str = ""


class DecodeError(SchemaError):
    """Bytes do not match the schema they claim."""


class ProjectionError(HanseError):
    """A projection stopped; its state is as it was after the last good batch."""


class UnsupportedSQL(HanseError):
    """The text uses what the projection language does not have."""

    def __init__(self, clause: str, line: int, column: int, advice: str) -> None:
        super().__init__(
            f"{clause} is not supported in a projection",
            where=f"line {line}, column {column}",
            fix=advice,
        )
        self.clause = clause
        self.line = line
        self.column = column
        self.advice = advice


class PublicationError(HanseError):
    """A product's state could not be published."""


class PublicationRejected(PublicationError):
    """A contract check failed; readers stay on the last good snapshot."""


class LeaseHeld(PublicationError):
    """Another process owns the product right now."""


class StaleWriter(PublicationError):
    """This process lost the lease on the product and must not publish."""


class QueryRefused(HanseError):
    """A reader's SQL is outside what the catalog allows."""
