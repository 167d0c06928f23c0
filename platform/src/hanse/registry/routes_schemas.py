"""`/schemas` and `/contexts`: schemas by id and guid, over all subjects."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from hanse.registry import problems
from hanse.registry.records import StoredSchema, Subject
from hanse.registry.store import RegistryStore
from hanse.registry.wire import (
    BadRequest,
    RegistryResponse,
    context_of,
    flag,
    page,
    schema_content,
    schema_text,
    schema_version,
)


def schema_routes(store: RegistryStore) -> APIRouter:
    """Routes whose addresses begin with `/schemas` or `/contexts`."""
    router = APIRouter(tags=["schemas"], default_response_class=RegistryResponse)
    _id_routes(router, store)
    _other_routes(router, store)
    return router


def _schema_id(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise BadRequest("an id is a whole number")
    return int(text)


def _context(request: Request) -> str:
    subject = request.query_params.get("subject")
    return Subject.parse(subject, context_of(request)).context if subject else context_of(request)


def _found(store: RegistryStore, request: Request, text: str) -> StoredSchema:
    return store.by_id(_schema_id(text), _context(request))


def _id_routes(router: APIRouter, store: RegistryStore) -> None:
    @router.get("/schemas/ids/{schema_id}")
    def by_id(request: Request, schema_id: str) -> dict[str, Any]:
        """A schema by its id."""
        found = _found(store, request, schema_id)
        text = schema_text(found, store.parsed(found), request.query_params.get("format", ""))
        extra = {"maxId": store.max_id(found.subject.context)} if flag(request, "fetchMaxId") else {}
        return {
            **schema_content(found, text),
            "subject": str(found.subject),
            "version": found.version,
            **extra,
        }

    @router.get("/schemas/ids/{schema_id}/schema")
    def text_by_id(request: Request, schema_id: str) -> PlainTextResponse:
        """The text of a schema and nothing else."""
        found = _found(store, request, schema_id)
        text = schema_text(found, store.parsed(found), request.query_params.get("format", ""))
        return PlainTextResponse(text, media_type=RegistryResponse.media_type)

    @router.get("/schemas/ids/{schema_id}/subjects")
    def subjects_of_id(request: Request, schema_id: str) -> list[str]:
        """Subjects that hold a schema."""
        found = _uses(store, request, schema_id)
        return page(request, sorted({str(s.subject) for s in found}))

    @router.get("/schemas/ids/{schema_id}/versions")
    def versions_of_id(request: Request, schema_id: str) -> list[dict[str, Any]]:
        """Versions that hold a schema."""
        found = _uses(store, request, schema_id)
        return page(request, [{"subject": str(s.subject), "version": s.version} for s in found])

    @router.get("/schemas/guids/{guid}")
    def by_guid(request: Request, guid: str) -> dict[str, Any]:
        """A schema by its guid, the same in every context."""
        found = store.by_guid(guid)
        if not found:
            raise problems.schema_not_found(guid[:80])
        text = schema_text(found[0], store.parsed(found[0]), request.query_params.get("format", ""))
        return {**schema_content(found[0], text), "id": found[0].id}

    @router.get("/schemas/guids/{guid}/ids")
    def ids_of_guid(guid: str) -> list[dict[str, Any]]:
        """Contexts and ids under which a guid is known."""
        pairs = sorted({(s.subject.context, s.id) for s in store.by_guid(guid)})
        return [{"context": context, "id": schema_id} for context, schema_id in pairs]


def _uses(store: RegistryStore, request: Request, schema_id: str) -> list[StoredSchema]:
    found = store.uses_of_id(_schema_id(schema_id), _context(request), deleted=flag(request, "deleted"))
    if not found:
        raise problems.schema_not_found()
    name = store.settings.target_of(Subject.parse(request.query_params.get("subject", ""))).name
    return [s for s in found if not name or s.subject.name == name]


def _other_routes(router: APIRouter, store: RegistryStore) -> None:
    @router.get("/schemas/types")
    def types() -> list[str]:
        """The formats that can be registered."""
        return ["JSON", "PROTOBUF", "AVRO"]

    @router.get("/schemas")
    def schemas(request: Request) -> list[dict[str, Any]]:
        """All versions, or the newest of each subject."""
        prefix = request.query_params.get("subjectPrefix", "").removeprefix(":*:")
        deleted, latest = flag(request, "deleted"), flag(request, "latestOnly")
        found = [
            version
            for newest in store.subjects(deleted=deleted)
            if str(newest.subject).startswith(prefix)
            for version in ([newest] if latest else store.versions(newest.subject, deleted=deleted))
        ]
        return [schema_version(s, s.text) for s in page(request, found)]

    @router.get("/contexts")
    def contexts(request: Request) -> list[str]:
        """Names of the contexts."""
        prefix = request.query_params.get("contextPrefix", "")
        return page(request, [c for c in store.contexts() if c.startswith(prefix)])

    @router.delete("/contexts/{context}", status_code=204)
    def delete_context(context: str) -> None:
        """Forget a context that holds no subjects."""
        store.delete_context(Subject.parse(f":{context.strip(':')}:").context)
