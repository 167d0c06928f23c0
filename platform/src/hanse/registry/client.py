"""The port over HTTP: any registry that speaks Confluent's REST API."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from hanse.errors import ConfigError, IncompatibleSchema, SchemaError, UnknownSchema
from hanse.ports.schema_registry import RegisteredSchema, SchemaReference, SchemaType
from hanse.schemas.finding import short

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
TIMEOUT_SECONDS = 30.0
MAX_ANSWER = 64 * 1024 * 1024


class RegistryClient:
    """SchemaRegistry at an http(s) address, which may hold `user:password@`. One connection per thread."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                "the registry's address is not understood", expected="http(s)://host:port", got=address
            )
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self.address = (
            f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{self._base}"
        )
        self._headers = {"Accept": f"{MEDIA_TYPE}, application/json", "Content-Type": MEDIA_TYPE}
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._by_id: dict[int, RegisteredSchema] = {}

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: SchemaType = "AVRO",
        references: tuple[SchemaReference, ...] = (),
    ) -> RegisteredSchema:
        """Register, or return the equal version. Raises IncompatibleSchema, SchemaError."""
        body: dict[str, Any] = {"schema": schema, "schemaType": schema_type}
        if references:
            body["references"] = [
                {"name": r.name, "subject": r.subject, "version": r.version} for r in references
            ]
        path = f"/subjects/{quote(subject, safe='')}"
        answer = self._call("POST", f"{path}/versions", body)
        if answer.keys() >= {"id", "version", "schema"}:
            return _registered({"subject": subject, **answer})
        found = self._call("POST", path, body)
        return _registered({**found, "id": answer.get("id", found.get("id"))})

    def by_id(self, schema_id: int) -> RegisteredSchema:
        """The schema of a wire id. Raises SchemaError when unknown."""
        if schema_id not in self._by_id:
            answer = self._call("GET", f"/schemas/ids/{schema_id}")
            first = self._first_use(schema_id)
            self._by_id[schema_id] = _registered({**answer, **first, "id": schema_id})
        return self._by_id[schema_id]

    def _first_use(self, schema_id: int) -> dict[str, Any]:
        """Where a schema stands; some registries do not tell."""
        try:
            uses = self._call("GET", f"/schemas/ids/{schema_id}/versions")
        except SchemaNotThere:
            uses = []
        return uses[0] if isinstance(uses, list) and uses else {"subject": "", "version": 0}

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version. Raises SchemaError when the subject is unknown."""
        return _registered(self._call("GET", f"/subjects/{quote(subject, safe='')}/versions/latest"))

    def versions(self, subject: str) -> list[RegisteredSchema]:
        """All live versions, oldest first; empty when unknown."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        try:
            numbers = self._call("GET", path)
        except SchemaNotThere:
            return []
        return [_registered(self._call("GET", f"{path}/{number}")) for number in numbers]

    def subjects(self) -> list[str]:
        """All live subjects by name."""
        return sorted(self._call("GET", "/subjects"))

    def compatibility(self, subject: str) -> str:
        """The compatibility mode in force for a subject; BACKWARD where the registry does not tell."""
        answer = self._call("GET", f"/config/{quote(subject, safe='')}?defaultToGlobal=true")
        return str(answer.get("compatibilityLevel") or "BACKWARD")

    def close(self) -> None:
        """Close the connections."""
        while self._open:
            self._open.pop().close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        payload = json.dumps(body).encode() if body is not None else None
        status, data = self._exchange(method, self._base + path, payload)
        try:
            answer = json.loads(data) if data else None
        except ValueError as error:
            raise SchemaError(
                "the registry's answer is not JSON",
                where=f"{method} {self.address}{path}",
                got=short(data[:200]),
            ) from error
        if status < 300:
            return answer
        message = answer.get("message", "") if isinstance(answer, dict) else str(answer)
        where = f"{method} {self.address}{path}"
        if status == 409:
            raise IncompatibleSchema(message or "the schema is incompatible", where=where)
        problem = SchemaNotThere if status == 404 else SchemaError
        raise problem(f"the registry refused: {short(message, 2_000)}", where=where, got=f"HTTP {status}")

    def _exchange(self, method: str, path: str, payload: bytes | None) -> tuple[int, bytes]:
        for attempt in (1, 2):
            connection, fresh = self._connection()
            try:
                connection.request(method, path, payload, self._headers)
                response = connection.getresponse()
                data = response.read(MAX_ANSWER + 1)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # a kept connection that the server closed meanwhile deserves one fresh try
                if (
                    attempt == 1
                    and not fresh
                    and isinstance(error, http.client.HTTPException | ConnectionError)
                ):
                    continue
                raise SchemaError(
                    "the registry does not answer", where=self.address, got=short(error), fix="is it running?"
                ) from error
            if len(data) > MAX_ANSWER:
                connection.close()
                raise SchemaError("the registry's answer is too large", where=f"{self.address}{path}")
            return response.status, data
        raise SchemaError("the registry does not answer", where=self.address)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            return connection, connection.sock is None
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_SECONDS)
        self._local.connection = connection
        self._open.append(connection)
        return connection, True


class SchemaNotThere(UnknownSchema):
    """The registry answered 404."""


def _registered(answer: dict[str, Any]) -> RegisteredSchema:
    references = answer.get("references") or []
    try:
        return RegisteredSchema(
            answer["subject"],
            int(answer["version"]),
            int(answer["id"]),
            answer.get("schemaType") or "AVRO",
            answer["schema"],
            tuple(SchemaReference(r["name"], r["subject"], int(r["version"])) for r in references),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError("the registry's answer lacks a field", got=short(answer)) from error
