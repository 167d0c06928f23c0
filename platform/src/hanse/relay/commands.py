"""Commands and their answers on the log: JSON, with the envelope in CloudEvents headers.

A domain takes commands from `<domain>.command-inbox` and answers to its own sagas' commands from
`<domain>.command-replies`. The key is the process that sent the command, so that what it sends stays in order.
Anybody may produce to an inbox: header `ce_id` (a UUID, by which it is idempotent), `ce_type` the command's
name, and the command's fields as a JSON object; `ce_replyto` and `ce_process` tell where the answer goes, and
`ce_personalsubject` for whom its personal fields are encrypted.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from hanse.domain.application import Application
from hanse.domain.building import build
from hanse.domain.messages import Event
from hanse.domain.process_messages import CommandAnswered, CommandSent, Unreadable
from hanse.domain.service import ReplyTo, Request
from hanse.domain.subjects import SubjectKeys
from hanse.errors import CommandRejected, ConfigError, DecodeError
from hanse.model.envelope import SPEC_VERSION, Envelope
from hanse.ports.event_log import TopicSpec

MAX_BYTES = 1 << 20
Headers = dict[str, bytes]


def inbox_topic(domain: str) -> TopicSpec:
    """The topic of commands for a domain; the hyphen keeps it apart from declared topics."""
    return TopicSpec(f"{domain}.command-inbox", partitions=4)


def replies_topic(domain: str) -> TopicSpec:
    """The topic of answers to the commands that a domain's sagas have sent."""
    return TopicSpec(f"{domain}.command-replies", partitions=4)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for another domain's inbox or replies."""

    topic: TopicSpec
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def outgoing(event: Event, envelope: Envelope, source: str) -> Outgoing | None:
    """What the platform's own event makes leave the domain; None when it stays inside."""
    if isinstance(event, CommandSent):
        extra = {"ce_replyto": source.split("/")[1], "ce_process": event.process_id}
        if event.subject is not None:
            extra["ce_personalsubject"] = event.subject
        headers = _headers(event.command_id, event.command, source, event.process_id, envelope, extra)
        return Outgoing(inbox_topic(event.domain), event.process_id.encode(), event.body.encode(), headers)
    if isinstance(event, CommandAnswered):
        body = orjson.dumps({"command_id": event.command_id, "rule": event.rule, "message": event.message})
        headers = _headers(envelope.event_id, event.event_name, source, event.process_id, envelope, {})
        return Outgoing(replies_topic(event.reply_to), event.process_id.encode(), body, headers)
    return None


def _headers(
    record_id: str, kind: str, source: str, process: str, envelope: Envelope, extra: dict[str, str]
) -> tuple[tuple[str, bytes], ...]:
    values = {
        "ce_id": record_id,
        "ce_type": kind,
        "ce_source": source,
        "ce_subject": process,
        "ce_time": envelope.time.isoformat(),
        "ce_correlationid": envelope.correlation_id,
        "ce_causationid": envelope.event_id,
        "ce_userid": envelope.user_id or "",
        "ce_sessionid": envelope.session_id or "",
        "traceparent": envelope.traceparent or "",
        **extra,
    }
    named = tuple((name, value.encode()) for name, value in values.items() if value)
    return (("ce_specversion", SPEC_VERSION), ("content-type", b"application/json"), *named)


def text(headers: Headers, name: str) -> str | None:
    """A header as text, None when it is absent."""
    value = headers.get(name)
    return None if value is None else value.decode("utf-8", "replace")


def request_of(
    application: Application, keys: SubjectKeys, headers: Headers, value: bytes | None, place: str
) -> Request:
    """The command of a record in the domain's inbox; one that cannot be read will be refused and answered."""
    name = text(headers, "ce_type") or ""
    command_id = _uuid(text(headers, "ce_id"), place)
    try:
        command = _command(application, keys, headers, name, value)
    except CommandRejected as error:
        command = Unreadable(name=name, rule=error.rule, message=error.message)
    except (ConfigError, DecodeError) as error:
        command = Unreadable(name=name, rule="command-malformed", message=str(error))
    reply_to, process = text(headers, "ce_replyto"), text(headers, "ce_process")
    return Request(
        command,
        command_id,
        correlation_id=text(headers, "ce_correlationid"),
        causation_id=text(headers, "ce_causationid"),
        traceparent=text(headers, "traceparent"),
        user_id=text(headers, "ce_userid"),
        session_id=text(headers, "ce_sessionid"),
        reply_to=ReplyTo(reply_to, process) if reply_to and process else None,
    )


def _uuid(given: str | None, place: str) -> uuid.UUID:
    """The command's id; one that is no UUID is made one, the same whenever it comes."""
    try:
        return uuid.UUID(given or "")
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, given or place)


def _command(
    application: Application, keys: SubjectKeys, headers: Headers, name: str, value: bytes | None
) -> Any:
    cls = application.accepts.get(name.rsplit(".", 1)[-1])
    if cls is None:
        raise CommandRejected("command-unknown", f"{application.name} has no command {name!r}")
    if value is None or len(value) > MAX_BYTES:
        size = 0 if value is None else len(value)
        raise CommandRejected("command-too-large", f"{size} bytes came, 1 to {MAX_BYTES} are taken")
    try:
        body: Any = orjson.loads(value)
    except ValueError as error:
        raise CommandRejected("command-malformed", f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CommandRejected("command-malformed", "not a JSON object")
    subject = text(headers, "ce_personalsubject") or ""
    return build(cls, body, name, partial(keys.decrypt, subject))
