"""Validation against the standards' own JSON Schemas: ODPS 1 and ODCS 3, as their packages ship them.

ODPS is https://bitol-io.github.io/open-data-product-standard, ODCS is
https://bitol-io.github.io/open-data-contract-standard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

from hanse.descriptors.problem import Problem
from hanse.descriptors.yaml import Document

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import ValidationError

ODPS = {"v1.0.0": "odps-1.0.0.schema.json", "v1.1.0": "odps-1.1.0.schema.json"}
ODCS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
MAX_PROBLEMS = 20


def check_product(document: Document) -> list[Problem]:
    """What ODPS says against the document."""
    version = document.data.get("apiVersion")
    if version not in ODPS:
        return [_version(document, "ODPS", sorted(ODPS))]
    return _check(document, "dataproduct", f"schemas/{ODPS[version]}", f"ODPS {version}")


def check_contract(document: Document) -> list[Problem]:
    """What ODCS says against the document."""
    version = document.data.get("apiVersion")
    if version not in ODCS:
        return [_version(document, "ODCS", ODCS)]
    found = _untyped(document)
    return found or _check(document, "open_data_contract_standard", "schema.json", f"ODCS {version}")


def _untyped(document: Document) -> list[Problem]:
    """Columns without a logicalType, which the schema demands in words that help nobody."""
    tables = document.data.get("schema")
    found: list[Problem] = []
    for i, table in enumerate(tables if isinstance(tables, list) else []):
        columns = table.get("properties") if isinstance(table, dict) else None
        for j, column in enumerate(columns if isinstance(columns, list) else []):
            if isinstance(column, dict) and "logicalType" not in column:
                at = ("schema", i, "properties", j)
                name = column.get("name")
                found.append(
                    document.problem(f"column {name} has no logicalType", *at, expected="as ODCS asks")
                )
    return found[:MAX_PROBLEMS]


def check_domain(document: Document) -> list[Problem]:
    """What Hanse's own schema of `domain.yaml` says against the document."""
    return _check(document, "hanse.descriptors", "domain.schema.json", "domain.yaml")


def _version(document: Document, standard: str, known: Any) -> Problem:
    return document.problem(
        f"this is not a version of {standard} that Hanse reads",
        "apiVersion",
        expected=", ".join(known),
        got=str(document.data.get("apiVersion")),
    )


@cache
def _validator(package: str, resource: str) -> Draft201909Validator:
    from jsonschema import Draft201909Validator

    text = files(package).joinpath(resource).read_text(encoding="utf-8")
    return Draft201909Validator(json.loads(text))


@cache
def _quick(package: str, resource: str) -> jsonschema_rs.Draft201909Validator:
    import jsonschema_rs

    text = files(package).joinpath(resource).read_text(encoding="utf-8")
    return jsonschema_rs.Draft201909Validator(json.loads(text))


def _check(document: Document, package: str, resource: str, standard: str) -> list[Problem]:
    if _quick(package, resource).is_valid(document.data):  # some 500 times faster than telling what is wrong
        return []
    validator = _validator(package, resource)
    errors = [_deepest(e) for e in islice(validator.iter_errors(document.data), MAX_PROBLEMS)]
    telling = [e for e in errors if not _echo(e, errors)]
    found: dict[tuple[int | None, str], Problem] = {}
    for error in telling:
        problem = _problem(document, error, standard)
        found.setdefault((problem.line, problem.what), problem)
    return sorted(found.values(), key=lambda p: (p.line or 0, p.what))


def _echo(error: ValidationError, errors: list[ValidationError]) -> bool:
    """Whether "unevaluated properties" only repeats that something inside is wrong."""
    path = list(error.absolute_path)
    return error.validator == "unevaluatedProperties" and any(
        other.validator != "unevaluatedProperties" and list(other.absolute_path)[: len(path)] == path
        for other in errors
    )


def _deepest(error: ValidationError) -> ValidationError:
    """Of alternatives that all failed, the one that got furthest into the document."""
    while error.context:
        error = max(error.context, key=lambda e: len(e.absolute_path))
    return error


def _problem(document: Document, error: ValidationError, standard: str) -> Problem:
    keys = tuple(error.absolute_path)
    name = ".".join(str(key) for key in keys) or "the document"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        schema = error.schema if isinstance(error.schema, Mapping) else {}
        known = set(schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        return document.problem(
            f"{standard} knows no {unknown[0] if unknown else '?'} in {name}",
            *keys,
            *unknown[:1],
            expected=", ".join(sorted(known)),
            fix="put what the standard has no field for under customProperties",
        )
    return document.problem(f"{name} breaks {standard}", *keys, got=error.message[:300])
