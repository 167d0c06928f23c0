"""`contract.yaml`: an ODCS 3 document, and what Hanse takes from it.

customProperties that Hanse reads, because the standard has no field for them: on a quality rule
`setAside: true` (offending rows go to `<product>$rejected`, the rest is published); on the contract
`deadLetterThreshold: N` (the product stops when more than N records of its topics cannot be read),
on a column `mask: hash|null|none` and `subject: COLUMN` (what readers see of personal data, and whose it is)
and `renamedFrom: COLUMN` (the table's column goes on under the new name),
`eventTime: COLUMN` and `watermark: DURATION` (how time runs in it for products that read it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hanse.descriptors import standards, yaml
from hanse.descriptors.problem import Invalid, Problem
from hanse.descriptors.types import ColumnType, default_type, physical_type
from hanse.descriptors.yaml import Document
from hanse.errors import ConfigError
from hanse.model.mesh import Column, Contract, Mask, QualityRule

FILE = "contract.yaml"
SET_ASIDE = ("nullValues", "missingValues", "invalidValues")
TAKEN = ("schema", "freshness", "primary_key", "primary_key_present", "required_columns")
PERSONAL = frozenset({"personal", "pii"})
"""Classifications of columns that are masked in the public table unless the contract says otherwise."""
MASK, SUBJECT, RENAMED_FROM = "mask", "subject", "renamedFrom"
Place = tuple[str | int, ...]
FRESHNESS = ("freshness", "latency")
_UNIT_MS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
    **dict.fromkeys(("w", "week", "weeks"), 604_800_000),
}


def custom(data: Mapping[str, Any], name: str) -> Any:
    """The value of a custom property, or None."""
    found = (p.get("value") for p in data.get("customProperties") or [] if p.get("property") == name)
    return next(found, None)


def read_contract(path: Path, product: str, problems: list[Problem]) -> Contract | None:
    """The contract of a product, or None when unusable; faults are added to `problems`."""
    try:
        document = yaml.read(path)
    except Invalid as error:
        problems.append(error.problem)
        return None
    found = standards.check_contract(document) or _meaning(document, product)
    problems.extend(found)
    if found:
        return None
    problems.extend(_owner(document))
    data = document.data
    table = data["schema"][0]
    columns = [_column(document, i, problems) for i in range(len(table.get("properties", [])))]
    keyed = sorted(
        (p["primaryKeyPosition"], p["name"])
        for p in table["properties"]
        if p.get("primaryKey") and p.get("primaryKeyPosition", -1) > 0
    )
    known = _ordered([c for c in columns if c is not None], [name for _, name in keyed])
    return Contract(
        id=data["id"],
        version=data["version"],
        path=path,
        columns=tuple(known),
        quality=tuple(_rules(document, problems)),
        freshness_ms=_freshness(document, problems),
        document=data,
    )


def _meaning(document: Document, product: str) -> list[Problem]:
    tables = document.data.get("schema") or []
    if len(tables) != 1:
        return [
            document.problem(
                "a contract describes one table", "schema", expected="one entry", got=f"{len(tables)} entries"
            )
        ]
    if tables[0]["name"] != product:
        return [
            document.problem(
                "the contract's table is named as its product",
                "schema",
                0,
                "name",
                expected=product,
                got=tables[0]["name"],
            )
        ]
    names = [p.get("name") for p in tables[0].get("properties", [])]
    if not names:
        return [document.problem("the contract promises no column", "schema", 0, expected="properties")]
    return [
        document.problem("a column needs a name of its own", "schema", 0, "properties", i, got=str(name))
        for i, name in enumerate(names)
        if not name or name.lower() in {str(n).lower() for n in names[:i]} or not usable(name)
    ]


def usable(name: str) -> bool:
    """Whether a name can be a column: short, no control character, none of Hanse's own."""
    return len(name) <= 128 and name.isprintable() and '"' not in name and not name.startswith("_")


def _owner(document: Document) -> list[Problem]:
    if owner(document.data):
        return []
    return [
        document.problem(
            "the contract has no owner",
            "team",
            expected="team.name, or a member with the role owner",
            fix="say who answers for this promise",
        )
    ]


def owner(data: Mapping[str, Any]) -> str | None:
    """Who answers: the team's name, else the member with the role owner. Reads both forms of `team`."""
    team = data.get("team")
    if isinstance(team, dict) and team.get("name"):
        return str(team["name"])
    found = [m for m in members(data) if str(m.get("role", "")).lower() == "owner"]
    return str(found[0].get("name") or found[0].get("username")) if found else None


def members(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The members of `team`, which the standards write as a list or as an object."""
    team = data.get("team")
    return list(team.get("members") or []) if isinstance(team, dict) else list(team or [])


def _column(document: Document, index: int, problems: list[Problem]) -> Column | None:
    spec = document.data["schema"][0]["properties"][index]
    at = ("schema", 0, "properties", index)
    try:
        found = column_type(spec)
    except ConfigError as error:
        problems.append(document.problem(error.what, *at, expected=error.expected, got=error.got))
        return None
    logical = spec.get("logicalType", found.logical)
    if logical != found.logical:
        problems.append(
            document.problem("logicalType and physicalType differ", *at, expected=found.logical, got=logical)
        )
    return Column(
        name=spec["name"],
        logical_type=logical,
        physical_type=spec.get("physicalType") or found.kind,
        required=bool(spec.get("required") or spec.get("primaryKey")),
        primary_key=bool(spec.get("primaryKey")),
        classification=spec.get("classification"),
        description=spec.get("description", ""),
        business_name=spec.get("businessName"),
        mask=_mask(document, at, spec, found, problems),
        subject=_subject(document, at, spec, problems),
        renamed_from=custom(spec, RENAMED_FROM),
    )


def _mask(
    document: Document, at: Place, spec: Mapping[str, Any], kind: ColumnType, problems: list[Problem]
) -> Mask | None:
    """How the public table shows the column; what is classified as personal is masked unless said otherwise."""
    personal = str(spec.get("classification") or "").lower() in PERSONAL
    said = custom(spec, MASK) or (("hash" if kind.kind == "STRING" else "null") if personal else "none")
    if said not in ("hash", "null", "none") or (said == "hash" and kind.kind != "STRING"):
        what = "a column cannot be masked like that"
        problems.append(
            document.problem(what, *at, expected="hash (of a STRING), null or none", got=str(said))
        )
        return None
    if said != "none" and spec.get("primaryKey"):
        problems.append(
            document.problem(
                "a column of the primary key cannot be masked",
                *at,
                fix="take another key, or say by the custom property mask: none that it may be seen",
            )
        )
        return None
    return None if said == "none" else said


def _subject(document: Document, at: Place, spec: Mapping[str, Any], problems: list[Problem]) -> str | None:
    """The column that names the person."""
    said = custom(spec, SUBJECT)
    names = [p.get("name") for p in document.data["schema"][0]["properties"]]
    if said is not None and said not in names:
        problems.append(
            document.problem(
                "the subject is no column of the contract", *at, expected=", ".join(names), got=str(said)
            )
        )
    return said


def column_type(spec: Mapping[str, Any]) -> ColumnType:
    """The type of an ODCS property. Raises ConfigError."""
    if spec.get("physicalType"):
        return physical_type(spec["physicalType"])
    if spec.get("logicalType"):
        return default_type(spec["logicalType"])
    raise ConfigError("a column needs a type", expected="physicalType or logicalType")


def _ordered(columns: list[Column], keys: list[str]) -> list[Column]:
    """Columns as written; those of the key are put among their places in the order of their positions."""
    by_name = {column.name: column for column in columns}
    queue = [by_name[name] for name in keys if name in by_name]
    return [queue.pop(0) if column.name in keys else column for column in columns]


def _rules(document: Document, problems: list[Problem]) -> list[QualityRule]:
    table = document.data["schema"][0]
    places: list[tuple[str | None, tuple[str | int, ...], list[dict[str, Any]]]] = [
        (None, ("schema", 0, "quality"), table.get("quality") or [])
    ]
    for index, spec in enumerate(table["properties"]):
        places.append(
            (spec["name"], ("schema", 0, "properties", index, "quality"), spec.get("quality") or [])
        )
    rules: list[QualityRule] = []
    for column, at, definitions in places:
        for index, definition in enumerate(definitions):
            rule = _rule(column, definition)
            if any(rule.name == other.name for other in rules):
                problems.append(
                    document.problem(
                        f"two quality rules are named {rule.name}", *at, index, fix="name them apart"
                    )
                )
            if rule.name in TAKEN:
                problems.append(
                    document.problem(
                        f"{rule.name} is the name of a check that Hanse makes itself", *at, index
                    )
                )
            if rule.set_aside and definition.get("metric") not in SET_ASIDE:
                problems.append(
                    document.problem(
                        "this rule cannot set rows aside",
                        *at,
                        index,
                        expected=f"a metric: {', '.join(SET_ASIDE)}",
                    )
                )
            rules.append(rule)
    return rules


def _rule(column: str | None, definition: dict[str, Any]) -> QualityRule:
    kind = definition.get("metric") or definition.get("rule") or definition.get("type") or "text"
    name = definition.get("name") or definition.get("id") or f"{kind}_{column or 'table'}"
    severity = str(definition.get("severity", "error")).lower()
    return QualityRule(
        name=re.sub(r"[^A-Za-z0-9_]+", "_", str(name)),
        definition=definition,
        column=column,
        severity="warning" if severity in ("warning", "info") else "error",
        set_aside=custom(definition, "setAside") is True,
    )


def _freshness(document: Document, problems: list[Problem]) -> int | None:
    for index, promise in enumerate(document.data.get("slaProperties") or []):
        if promise.get("property") not in FRESHNESS:
            continue
        value, unit = promise.get("value"), str(promise.get("unit", "")).lower()
        try:
            return int(float(str(value)) * _UNIT_MS[unit])
        except (ValueError, KeyError, OverflowError):
            problems.append(
                document.problem(
                    "the freshness promise cannot be read",
                    "slaProperties",
                    index,
                    expected="a number, and a unit such as m, h or d",
                    got=f"{value} {unit}",
                )
            )
    return None
