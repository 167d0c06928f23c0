"""Requests and answers of the REST API: what they hold, how they are checked, how they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse

from hanse.errors import SchemaError
from hanse.ports.schema_registry import SchemaReference
from hanse.registry import problems
from hanse.registry.client import MEDIA_TYPE
from hanse.registry.problems import RegistryProblem
from hanse.registry.records import DEFAULT_CONTEXT, StoredSchema, Subject, Submission
from hanse.schemas import Finding, ParsedSchema
from hanse.schemas.finding import MAX_BYTES, short

MAX_BODY = 4 * MAX_BYTES
RULE_KINDS = frozenset({"domainRules", "migrationRules", "encodingRules"})
MAX_REFERENCES = 500
CONTEXT_KEY = "hanse.registry.context"
T = TypeVar("T")


class RegistryResponse(JSONResponse):
    """JSON under the media type that Confluent's clients ask for."""

    media_type = MEDIA_TYPE


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises RegistryProblem when it is none, or is too large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise RegistryProblem(
                problems.SCHEMA_TOO_LARGE, f"Schema too large: the request has more than {MAX_BODY} bytes"
            )
    try:
        body = json.loads(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request is not JSON: {short(error)}") from error
    if not isinstance(body, dict):
        raise BadRequest("the request is not a JSON object")
    return body


class BadRequest(RegistryProblem):
    """The request cannot be read at all: HTTP 400."""

    def __init__(self, what: str) -> None:
        super().__init__(400, what)
        self.status = 400


def flag(request: Request, *names: str) -> bool:
    """Whether a query parameter says true, in whatever case clients write it."""
    return any(request.query_params.get(name, "").lower() == "true" for name in names)


def page(request: Request, items: Sequence[T]) -> list[T]:
    """The slice that `offset` and `limit` ask for; a negative limit means all."""
    offset = max(0, _whole(request, "offset", 0))
    limit = _whole(request, "limit", -1)
    return list(items[offset:] if limit < 0 else items[offset : offset + limit])


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    try:
        return int(text[:12])
    except ValueError as error:
        raise BadRequest(f"the parameter {name!r} is not a whole number") from error


def context_of(request: Request) -> str:
    """The context that the address names (`/contexts/…/`), or the default one."""
    return request.scope.get(CONTEXT_KEY, DEFAULT_CONTEXT)


def subject_of(request: Request, text: str) -> Subject:
    """A subject from the address. Raises RegistryProblem."""
    return Subject.parse(text, context_of(request))


def version_of(text: str) -> int:
    """A version from the address, -1 for the latest. Raises RegistryProblem."""
    if text in {"latest", "-1"}:
        return -1
    if not text.isdecimal() or not 1 <= int(text[:12]) <= 2**31 - 1:
        raise RegistryProblem(
            problems.INVALID_VERSION,
            f"The specified version '{short(text, 40)}' is not a valid version id."
            ' Allowed values are between [1, 2^31-1] and the string "latest"',
        )
    return int(text)


def submission_of(body: Mapping[str, Any]) -> Submission:
    """The schema that a request holds. Raises RegistryProblem."""
    text, kind = body.get("schema"), body.get("schemaType") or "AVRO"
    if not isinstance(text, str | None) or not isinstance(kind, str):
        raise RegistryProblem(problems.INVALID_SCHEMA, "Invalid schema: schema and schemaType are texts")
    if kind.upper() not in {"AVRO", "JSON", "PROTOBUF"}:
        raise RegistryProblem(problems.INVALID_SCHEMA, f"Invalid schema type {short(kind, 40)}")
    return Submission(
        text or "",
        kind.upper(),
        _references(body.get("references")),
        _object(body, "metadata"),
        _ruleset(body),
        _positive(body, "id"),
        _positive(body, "version"),
    )


def _references(value: Any) -> tuple[SchemaReference, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_REFERENCES:
        raise RegistryProblem(problems.INVALID_SCHEMA, "Invalid schema: references are a list")
    return tuple(_reference(item) for item in value)


def _reference(item: Any) -> SchemaReference:
    if not isinstance(item, dict):
        raise RegistryProblem(problems.INVALID_SCHEMA, "Invalid schema: a reference is an object")
    name, subject, version = item.get("name"), item.get("subject"), item.get("version")
    if not isinstance(name, str) or not isinstance(subject, str) or not isinstance(version, int):
        raise RegistryProblem(
            problems.INVALID_SCHEMA, "Invalid schema: a reference has name, subject and version"
        )
    return SchemaReference(name, subject, version)


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    value = body.get(key)
    if value is not None and not isinstance(value, dict):
        raise RegistryProblem(problems.INVALID_SCHEMA, f"Invalid schema: {key} is an object")
    return value or None


def _ruleset(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The rule set: lists of rules, each with a name of its own. What the rules say is for the clients."""
    ruleset = _object(body, "ruleSet")
    for kind, rules in (ruleset or {}).items():
        known = kind in RULE_KINDS and isinstance(rules, list | None)
        names = (
            [rule.get("name") if isinstance(rule, dict) else None for rule in rules or []] if known else []
        )
        if not known or not all(isinstance(name, str) and name for name in names):
            raise _invalid_ruleset(kind, "is no list of rules with names")
        if len(set(names)) < len(names):
            raise _invalid_ruleset(kind, "has a name twice")
    return ruleset


def _invalid_ruleset(kind: str, what: str) -> RegistryProblem:
    return RegistryProblem(problems.INVALID_RULESET, f"Invalid rule set: {short(kind, 40)!r} {what}")


def _positive(body: Mapping[str, Any], key: str) -> int | None:
    value = body.get(key)
    if value is None or (isinstance(value, int) and value <= 0):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value >= 2**31:
        raise RegistryProblem(problems.INVALID_SCHEMA, f"Invalid schema: {key} is a number")
    return value


def schema_text(stored: StoredSchema, parsed: ParsedSchema, form: str) -> str:
    """The schema in the form that the client asks for: `serialized` is Protobuf's descriptor in base64."""
    if form == "serialized" and stored.schema_type == "PROTOBUF":
        from hanse.schemas.protobuf_compile import to_base64

        return to_base64(parsed.tree)
    return stored.text


def sent_form(body: Mapping[str, Any]) -> str:
    """`serialized` when a request holds a Protobuf descriptor instead of text."""
    if str(body.get("schemaType")).upper() != "PROTOBUF" or not isinstance(body.get("schema"), str):
        return ""
    from hanse.schemas.protobuf_model import looks_like_text

    return "" if looks_like_text(body["schema"]) else "serialized"


def schema_content(stored: StoredSchema, text: str) -> dict[str, Any]:
    """What a schema says, wherever it stands; AVRO, as the default, is not named."""
    content: dict[str, Any] = {"schema": text, "guid": stored.guid}
    if stored.schema_type != "AVRO":
        content["schemaType"] = stored.schema_type
    if stored.references:
        content["references"] = [
            {"name": r.name, "subject": r.subject, "version": r.version} for r in stored.references
        ]
    if stored.metadata:
        content["metadata"] = stored.metadata
    if stored.ruleset:
        content["ruleSet"] = stored.ruleset
    return content


def schema_version(stored: StoredSchema, text: str) -> dict[str, Any]:
    """A version of a subject, in full."""
    found = {"subject": str(stored.subject), "version": stored.version, "id": stored.id}
    extra = {"ts": stored.created_ms, **({"deleted": True} if stored.deleted else {})}
    return {**found, **schema_content(stored, text), **extra}


def messages(findings: Sequence[Finding], mode: str) -> list[str]:
    """Findings as the lines of a verbose answer."""
    lines = [
        f"{{errorType:'{f.kind}', description:'{f.message} (at path {f.path}, {f.direction})',"
        f" additionalInfo:'old: {f.old}, new: {f.new}'}}"
        for f in findings
    ]
    versions = {f.version for f in findings if f.version is not None}
    lines += [f"{{oldSchemaVersion: {version}}}" for version in sorted(versions)]
    return [*lines, f"{{compatibility: '{mode}'}}"] if findings else []


def error_answer(error: SchemaError) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of an error."""
    from hanse.errors import IncompatibleSchema

    if isinstance(error, RegistryProblem):
        return error.status, {"error_code": error.code, "message": error.what}
    if isinstance(error, IncompatibleSchema):
        findings = [f for f in error.findings if isinstance(f, Finding)]
        details = messages(findings, error.mode)
        return 409, {"error_code": 409, "message": f"{error.what}, details: {details}"}
    where = f" ({error.where})" if error.where else ""
    got = f", got {error.got}" if error.got else ""
    return 422, {
        "error_code": problems.INVALID_SCHEMA,
        "message": f"Invalid schema: {error.what}{where}{got}",
    }
