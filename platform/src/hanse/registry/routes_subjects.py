"""`/subjects`: registration, lookup, versions, deletion."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse

from hanse.registry import problems
from hanse.registry.records import StoredSchema, Subject
from hanse.registry.store import RegistryStore
from hanse.registry.wire import (
    RegistryResponse,
    flag,
    json_body,
    page,
    schema_content,
    schema_text,
    schema_version,
    sent_form,
    subject_of,
    submission_of,
    version_of,
)

Body = Annotated[dict[str, Any], Depends(json_body)]


def subject_routes(store: RegistryStore) -> APIRouter:
    """Routes whose addresses begin with `/subjects`; the longest come first, as names may hold slashes."""
    router = APIRouter(tags=["subjects"], default_response_class=RegistryResponse)
    _version_routes(router, store)
    _subject_routes(router, store)
    return router


def _target(store: RegistryStore, request: Request, name: str) -> Subject:
    """The subject that the address names, an alias followed."""
    return store.settings.target_of(subject_of(request, name))


def _text(store: RegistryStore, stored: StoredSchema, request: Request) -> str:
    form = request.query_params.get("format", "")
    return schema_text(stored, store.parsed(stored), form) if form else stored.text


def _version_routes(router: APIRouter, store: RegistryStore) -> None:
    @router.get("/subjects/{subject:path}/versions/{version}/schema")
    def schema_only(request: Request, subject: str, version: str) -> PlainTextResponse:
        """The text of a version and nothing else."""
        found = store.version(
            _target(store, request, subject), version_of(version), deleted=flag(request, "deleted")
        )
        return PlainTextResponse(_text(store, found, request), media_type=RegistryResponse.media_type)

    @router.get("/subjects/{subject:path}/versions/{version}/referencedby")
    def referenced_by(request: Request, subject: str, version: str) -> list[int]:
        """Ids of the schemas that refer to a version."""
        deleted = flag(request, "deleted")
        found = store.version(_target(store, request, subject), version_of(version), deleted=deleted)
        return page(request, store.referenced_by(found.subject, found.version, deleted=deleted))

    @router.get("/subjects/{subject:path}/versions/{version}")
    def one_version(request: Request, subject: str, version: str) -> dict[str, Any]:
        """A version in full."""
        found = store.version(
            _target(store, request, subject), version_of(version), deleted=flag(request, "deleted")
        )
        return schema_version(found, _text(store, found, request))

    @router.delete("/subjects/{subject:path}/versions/{version}")
    def delete_version(request: Request, subject: str, version: str) -> int:
        """Soft-delete a version; with `permanent` remove one that was soft-deleted."""
        permanent = flag(request, "permanent")
        return store.delete_version(
            _target(store, request, subject), version_of(version), permanent=permanent
        )

    @router.get("/subjects/{subject:path}/versions")
    def versions(request: Request, subject: str) -> list[int]:
        """Numbers of the versions, oldest first."""
        return page(request, _version_numbers(store, request, subject))

    @router.post("/subjects/{subject:path}/versions")
    def register(request: Request, subject: str, body: Body) -> dict[str, Any]:
        """Register a schema, or find the version that is equal."""
        stored = store.register(
            _target(store, request, subject), submission_of(body), normalize=flag(request, "normalize")
        )
        # clients keep this answer as the schema's text, so it comes back in the form in which it was sent
        form = request.query_params.get("format", "") or sent_form(body)
        content = schema_content(stored, schema_text(stored, store.parsed(stored), form))
        return {"id": stored.id, "version": stored.version, **content, "ts": stored.created_ms}


def _version_numbers(store: RegistryStore, request: Request, subject: str) -> list[int]:
    deleted, only = flag(request, "deleted"), flag(request, "deletedOnly", "deleted_only")
    negative = flag(request, "deletedAsNegative")
    found = store.versions(_target(store, request, subject), deleted=deleted or only or negative)
    if only:
        found = [s for s in found if s.deleted]
    if not found:
        raise problems.subject_not_found(subject)
    return [-s.version if negative and s.deleted else s.version for s in found]


def _subject_routes(router: APIRouter, store: RegistryStore) -> None:
    @router.get("/subjects/{subject:path}/metadata")
    def latest_with_metadata(request: Request, subject: str) -> dict[str, Any]:
        """The newest version whose metadata has all the properties asked for."""
        wanted = dict(
            zip(request.query_params.getlist("key"), request.query_params.getlist("value"), strict=False)
        )
        versions = store.versions(_target(store, request, subject), deleted=flag(request, "deleted"))
        if not versions:
            raise problems.subject_not_found(subject)
        for found in reversed(versions):
            properties = (found.metadata or {}).get("properties") or {}
            if wanted.items() <= properties.items():
                return schema_version(found, _text(store, found, request))
        raise problems.schema_not_found()

    @router.get("/subjects")
    def subjects(request: Request) -> list[str]:
        """Names of the subjects."""
        return page(request, _subject_names(store, request))

    @router.post("/subjects/{subject:path}")
    def lookup(request: Request, subject: str, body: Body) -> dict[str, Any]:
        """The version that holds an equal schema."""
        found = store.lookup(
            _target(store, request, subject),
            submission_of(body),
            normalize=flag(request, "normalize"),
            deleted=flag(request, "deleted"),
        )
        return schema_version(found, _text(store, found, request))

    @router.delete("/subjects/{subject:path}")
    def delete_subject(request: Request, subject: str) -> list[int]:
        """Soft-delete all versions; with `permanent` remove a subject that was soft-deleted."""
        permanent = flag(request, "permanent")
        return store.delete_subject(_target(store, request, subject), permanent=permanent)


def _subject_names(store: RegistryStore, request: Request) -> list[str]:
    from hanse.registry.wire import CONTEXT_KEY

    context = request.scope.get(CONTEXT_KEY)
    prefix = request.query_params.get("subjectPrefix", ":*:")
    live = {str(s.subject) for s in store.subjects(context)}
    names = live
    if flag(request, "deletedOnly", "deleted_only"):
        names = {str(s.subject) for s in store.subjects(context, deleted=True)} - live
    elif flag(request, "deleted"):
        names = {str(s.subject) for s in store.subjects(context, deleted=True)}
    if prefix.startswith(":*:"):
        wanted = prefix.removeprefix(":*:")
        return sorted(n for n in names if n.rpartition(":")[2].startswith(wanted))
    return sorted(n for n in names if n.startswith(prefix))
