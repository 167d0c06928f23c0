"""`/config`, `/mode` and `/compatibility`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from hanse.errors import SchemaError
from hanse.registry import problems
from hanse.registry.problems import RegistryProblem
from hanse.registry.records import Subject
from hanse.registry.settings_store import Kind
from hanse.registry.store import RegistryStore
from hanse.registry.wire import (
    RegistryResponse,
    context_of,
    error_answer,
    flag,
    json_body,
    messages,
    subject_of,
    submission_of,
    version_of,
)
from hanse.schemas import MODES

Body = Annotated[dict[str, Any], Depends(json_body)]
CONFIG_KEYS = (
    "alias",
    "normalize",
    "validateFields",
    "validateRules",
    "compatibilityGroup",
    "compatibilityPolicy",
    "defaultMetadata",
    "overrideMetadata",
    "defaultRuleSet",
    "overrideRuleSet",
)
REGISTRY_MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD")


def settings_routes(store: RegistryStore) -> APIRouter:
    """Routes of the settings and of checks that register nothing."""
    router = APIRouter(tags=["settings"], default_response_class=RegistryResponse)
    _compatibility_routes(router, store)
    _setting_routes(router, store, _config(store))
    _setting_routes(router, store, _mode(store))
    return router


def _scope(request: Request, subject: str | None) -> Subject | None:
    """The scope of a setting; `:.context:` alone means the context, nothing means everything."""
    if subject is None:
        context = context_of(request)
        return None if context == "." else Subject(context, "")
    return subject_of(request, subject)


def _compatibility_routes(router: APIRouter, store: RegistryStore) -> None:
    @router.post("/compatibility/subjects/{subject:path}/versions/{version}")
    def against_version(request: Request, subject: str, version: str, body: Body) -> dict[str, Any]:
        """Whether a schema may follow one version."""
        return _checked(store, request, subject, body, version_of(version))

    @router.post("/compatibility/subjects/{subject:path}/versions")
    def against_subject(request: Request, subject: str, body: Body) -> dict[str, Any]:
        """Whether a schema could be registered under a subject."""
        return _checked(store, request, subject, body, None)


def _checked(
    store: RegistryStore, request: Request, name: str, body: dict[str, Any], version: int | None
) -> dict[str, Any]:
    subject, verbose = store.settings.target_of(subject_of(request, name)), flag(request, "verbose")
    mode = str(store.settings.in_force("config", subject)["compatibilityLevel"])
    submission = submission_of(body)
    try:
        findings = store.findings(subject, submission, version, normalize=flag(request, "normalize"))
    except RegistryProblem:
        raise
    except SchemaError as error:
        if not verbose:
            raise
        return {"is_compatible": False, "messages": [error_answer(error)[1]["message"]]}
    answer: dict[str, Any] = {"is_compatible": not findings}
    return answer | {"messages": messages(findings, mode)} if verbose else answer


@dataclass(frozen=True, slots=True)
class _Setting:
    """One kind of setting: its address and name, and how a value that is sent is checked and stored."""

    kind: Kind
    unset: int
    called: str
    store_it: Callable[[Subject | None, dict[str, Any], Request], dict[str, Any]]


def _config(store: RegistryStore) -> _Setting:
    def put(scope: Subject | None, body: dict[str, Any], _: Request) -> dict[str, Any]:
        values = _config_values(body)
        store.settings.put("config", scope, values)
        return {("compatibility" if k == "compatibilityLevel" else k): v for k, v in values.items()}

    unset = problems.SUBJECT_COMPATIBILITY_NOT_CONFIGURED
    return _Setting("config", unset, "subject-level compatibility", put)


def _config_values(body: dict[str, Any]) -> dict[str, Any]:
    values = {key: body[key] for key in CONFIG_KEYS if key in body}
    level = body.get("compatibility", body.get("compatibilityLevel"))
    if level is not None:
        if not isinstance(level, str) or level.upper() not in MODES:
            raise RegistryProblem(
                problems.INVALID_COMPATIBILITY,
                f"Invalid compatibility level. Valid values are {', '.join(m.lower() for m in MODES)}",
            )
        values["compatibilityLevel"] = level.upper()
    return values


def _mode(store: RegistryStore) -> _Setting:
    def put(scope: Subject | None, body: dict[str, Any], request: Request) -> dict[str, Any]:
        mode = body.get("mode")
        if not isinstance(mode, str) or mode.upper() not in REGISTRY_MODES:
            raise RegistryProblem(
                problems.INVALID_MODE, f"Invalid mode. Valid values are {', '.join(REGISTRY_MODES)}"
            )
        store.set_mode(scope, mode.upper(), force=flag(request, "force"))
        return {"mode": mode.upper()}

    return _Setting("mode", problems.SUBJECT_MODE_NOT_CONFIGURED, "subject-level mode", put)


def _setting_routes(router: APIRouter, store: RegistryStore, setting: _Setting) -> None:
    """GET, PUT and DELETE of a setting, for everything and for one subject or context."""

    def read(request: Request, subject: str | None) -> dict[str, Any]:
        scope = _scope(request, subject)
        if flag(request, "defaultToGlobal"):
            return store.settings.in_force(setting.kind, scope)
        found = store.settings.get(setting.kind, scope)
        if found is None:
            raise RegistryProblem(
                setting.unset, f"Subject '{scope}' does not have {setting.called} configured"
            )
        return found

    def remove(request: Request, subject: str | None) -> dict[str, Any]:
        scope = _scope(request, subject)
        found = store.settings.delete(setting.kind, scope)
        if found is None:
            raise problems.subject_not_found(str(scope))
        return found

    def write(request: Request, subject: str | None, body: dict[str, Any]) -> dict[str, Any]:
        return setting.store_it(_scope(request, subject), body, request)

    path = f"/{setting.kind}"

    @router.get(path)
    def get_all(request: Request) -> dict[str, Any]:
        """What holds for all subjects."""
        return read(request, None)

    @router.get(path + "/{subject:path}")
    def get_one(request: Request, subject: str) -> dict[str, Any]:
        """What is set for one subject."""
        return read(request, subject)

    @router.put(path)
    def put_all(request: Request, body: Body) -> dict[str, Any]:
        """Set it for all subjects."""
        return write(request, None, body)

    @router.put(path + "/{subject:path}")
    def put_one(request: Request, subject: str, body: Body) -> dict[str, Any]:
        """Set it for one subject."""
        return write(request, subject, body)

    @router.delete(path)
    def delete_all(request: Request) -> dict[str, Any]:
        """Back to the default."""
        return remove(request, None)

    @router.delete(path + "/{subject:path}")
    def delete_one(request: Request, subject: str) -> dict[str, Any]:
        """Back to what holds for all."""
        return remove(request, subject)
