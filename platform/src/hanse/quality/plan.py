"""A contract's promises as checks: what is measured by which SQL, and what it must be.

Whatever cannot be measured becomes a check that fails and says why: nothing is skipped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from hanse.descriptors.types import physical_type
from hanse.model.mesh import Contract, QualityRule
from hanse.quality.result import Kind, Severity
from hanse.quality.threshold import Threshold
from hanse.quoting import literal, quote

_FORMATS = {
    "uuid": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "email": "^[^@\\s]+@[^@\\s]+$",
    "uri": "^[A-Za-z][A-Za-z0-9+.-]*:.+$",
    "ipv4": "^(\\d{1,3}\\.){3}\\d{1,3}$",
}
_UNITS = ("", "rows", "percent")


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, compiled.

    `aggregate` is measured in the common scan; `bad` is the predicate of offending rows, `sample` a query of
    some; `query` is a statement of its own; `broken` says why the check cannot be measured.
    """

    name: str
    kind: Kind
    threshold: Threshold
    column: str | None = None
    severity: Severity = "error"
    aggregate: str | None = None
    bad: str | None = None
    sample: str | None = None
    query: str | None = None
    percent: bool = False
    set_aside: bool = False
    broken: str | None = None
    definition: Mapping[str, Any] | None = None


ZERO = Threshold("mustBe", 0)


class Unmeasurable(ValueError):
    """A rule that Hanse cannot measure; the text says why."""


def names(contract: Contract) -> tuple[str, ...]:
    """The names of all results that a run gives, in order."""
    return (
        "schema",
        *(check.name for check in compile_checks(contract)),
        *(("freshness",) if contract.freshness_ms else ()),
    )


def compile_checks(contract: Contract) -> list[Check]:
    """Everything the contract promises of the rows: keys, required columns, options, quality rules.

    Each has a name of its own: by it values are found, and rules keep theirs.
    """
    rules = [_rule(contract, rule) for rule in contract.quality]
    taken = {check.name for check in rules}
    implied: list[Check] = []
    for check in _implied(contract):
        name = next(n for n in _alternatives(check.name) if n not in taken)
        taken.add(name)
        implied.append(replace(check, name=name))
    return [*implied, *rules]


def _alternatives(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def set_aside_predicates(contract: Contract) -> dict[str, str]:
    """By rule, the predicate of the rows that go to `<product>$rejected`."""
    found = [_rule(contract, rule) for rule in contract.quality if rule.set_aside]
    return {check.name: check.bad for check in found if check.bad and not check.broken}


def _properties(contract: Contract) -> dict[str, dict[str, Any]]:
    tables = contract.document.get("schema") or [{}]
    return {p["name"]: p for p in tables[0].get("properties") or []}


def _implied(contract: Contract) -> list[Check]:
    checks: list[Check] = []
    key = contract.primary_key
    if key:
        checks.append(_duplicates("primary_key", key, kind="key"))
        checks.append(
            _rows("primary_key_present", f"({' OR '.join(f'{quote(n)} IS NULL' for n in key)})", kind="key")
        )
    required = [c.name for c in contract.columns if c.required and c.name not in key]
    if required:
        checks.append(_rows("required_columns", f"({' OR '.join(f'{quote(n)} IS NULL' for n in required)})"))
    for name, spec in _properties(contract).items():
        if spec.get("unique") and key != (name,):
            checks.append(_duplicates(f"unique_{_word(name)}", (name,)))
        if spec.get("logicalTypeOptions") or spec.get("enum"):
            checks.append(_options(name, spec))
    return checks


def _options(name: str, spec: Mapping[str, Any]) -> Check:
    title = f"options_{_word(name)}"
    try:
        return _rows(title, _invalid(name, spec, {}), column=name, kind="schema")
    except Unmeasurable as error:
        return Check(title, "schema", ZERO, name, broken=str(error))


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _rows(name: str, bad: str, *, column: str | None = None, kind: Kind = "schema") -> Check:
    return Check(name, kind, ZERO, column, aggregate=f"count(*) FILTER (WHERE {bad})", bad=bad)


def _duplicates(name: str, columns: Sequence[str], *, kind: Kind = "library") -> Check:
    quoted = ", ".join(quote(c) for c in columns)
    present = " AND ".join(f"{quote(c)} IS NOT NULL" for c in columns)
    value = quoted if len(columns) == 1 else f"({quoted})"
    return Check(
        name,
        kind,
        ZERO,
        columns[0] if len(columns) == 1 else None,
        aggregate=(f"count(*) FILTER (WHERE {present}) - count(DISTINCT {value}) FILTER (WHERE {present})"),
        sample=f"SELECT * FROM {{view}} WHERE {present} QUALIFY count(*) OVER (PARTITION BY {quoted}) > 1",
    )


def _rule(contract: Contract, rule: QualityRule) -> Check:
    try:
        found = _measured(contract, rule)
    except Unmeasurable as error:
        found = Check(rule.name, "library", ZERO, broken=str(error))
    return replace(
        found,
        name=rule.name,
        column=rule.column or found.column,
        severity=rule.severity,
        set_aside=rule.set_aside,
        definition=rule.definition,
    )


def _measured(contract: Contract, rule: QualityRule) -> Check:
    definition = rule.definition
    kind = definition.get("type") or ("library" if definition.get("metric") else "text")
    if rule.set_aside and definition.get("metric") not in ("nullValues", "missingValues", "invalidValues"):
        raise Unmeasurable("only nullValues, missingValues and invalidValues can set rows aside")
    if kind == "text":
        return Check(rule.name, "text", ZERO)
    if kind == "custom":
        return Check(rule.name, "expectation", ZERO)
    threshold = Threshold.of(definition)
    if threshold is None:
        raise Unmeasurable("the rule needs exactly one operator, such as mustBe")
    unit = str(definition.get("unit") or "")
    if unit not in _UNITS:
        raise Unmeasurable(f"the unit {unit!r} is not rows or percent")
    if kind == "sql":
        return Check(rule.name, "sql", threshold, query=_sql(contract, rule), percent=False)
    found = _metric(contract, rule)
    return replace(found, kind="library", threshold=threshold, percent=unit == "percent")


def _sql(contract: Contract, rule: QualityRule) -> str:
    query = str(definition) if (definition := rule.definition.get("query")) else ""
    table = quote(_table(contract))
    for name in ("table", "object", "schema"):
        query = query.replace(f"${{{name}}}", table)
    for name in ("column", "property"):
        query = query.replace(f"${{{name}}}", quote(rule.column or ""))
    if not query.strip():
        raise Unmeasurable("the rule has no query")
    return query


def _table(contract: Contract) -> str:
    return str((contract.document.get("schema") or [{}])[0].get("name") or "snapshot")


def _metric(contract: Contract, rule: QualityRule) -> Check:
    metric = rule.definition.get("metric") or rule.definition.get("rule")
    arguments: Mapping[str, Any] = rule.definition.get("arguments") or {}
    if metric == "rowCount":
        _only(arguments)
        return Check(rule.name, "library", ZERO, aggregate="count(*)")
    if metric == "duplicateValues":
        _only(arguments, "properties")
        columns = [rule.column] if rule.column else list(arguments.get("properties") or [])
        return _duplicates(rule.name, [_known(contract, c) for c in columns] or _nothing("properties"))
    if metric not in ("nullValues", "missingValues", "invalidValues"):
        raise Unmeasurable(f"Hanse does not know the metric {metric!r}")
    if rule.column is None:
        raise Unmeasurable(f"the metric {metric} belongs to a column")
    column = _known(contract, rule.column)
    if metric == "nullValues":
        _only(arguments)
        return _rows(rule.name, f"{quote(column)} IS NULL")
    if metric == "missingValues":
        _only(arguments, "missingValues")
        return _rows(rule.name, _missing(column, arguments.get("missingValues")))
    _only(arguments, "validValues", "pattern")
    return _rows(rule.name, _invalid(column, _properties(contract)[column], arguments))


def _nothing(name: str) -> list[str]:
    raise Unmeasurable(f"the rule needs the argument {name}")


def _known(contract: Contract, column: Any) -> str:
    if column not in {c.name for c in contract.columns}:
        raise Unmeasurable(f"the contract has no column {column!r}")
    return str(column)


def _only(arguments: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise Unmeasurable(f"Hanse does not know the argument {unknown[0]!r} of this metric")


def _missing(column: str, values: Sequence[Any] | None) -> str:
    name = quote(column)
    texts = [v for v in ([None, ""] if values is None else values) if v is not None]
    alternatives = [f"{name} IS NULL"]
    if texts:
        alternatives.append(f"CAST({name} AS VARCHAR) IN ({', '.join(_text(v) for v in texts)})")
    return f"({' OR '.join(alternatives)})"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "'true'" if value else "'false'"
    return literal(str(value))


def _invalid(column: str, spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """The predicate of values that are present and not valid."""
    name = quote(column)
    wrong: list[str] = []
    if arguments.get("validValues") is not None:
        wrong.append(_not_in(name, arguments["validValues"]))
    if arguments.get("pattern") is not None:
        wrong.append(_not_like(name, str(arguments["pattern"])))
    if not arguments:
        wrong.extend(_against_options(name, spec))
    if not wrong:
        raise Unmeasurable("nothing says which values are valid: give arguments, logicalTypeOptions or enum")
    return f"({name} IS NOT NULL AND ({' OR '.join(wrong)}))"


def _not_in(name: str, values: Sequence[Any]) -> str:
    return f"CAST({name} AS VARCHAR) NOT IN ({', '.join(_text(v) for v in values)})" if values else "true"


def _not_like(name: str, pattern: str) -> str:
    return f"NOT regexp_matches(CAST({name} AS VARCHAR), {_text(pattern)})"


def _against_options(name: str, spec: Mapping[str, Any]) -> list[str]:
    wrong: list[str] = []
    kind = physical_type(spec["physicalType"]).duckdb if spec.get("physicalType") else None
    enum = [e["value"] if isinstance(e, Mapping) else e for e in spec.get("enum") or []]
    if enum:
        wrong.append(_not_in(name, enum))
    for option, value in (spec.get("logicalTypeOptions") or {}).items():
        found = _option(name, option, value, kind, spec.get("logicalType"))
        if found:
            wrong.append(found)
    return wrong


def _option(name: str, option: str, value: Any, kind: str | None, logical: Any) -> str | None:
    bound = f"CAST({_text(value)} AS {kind})" if kind else _text(value)
    texts = {
        "minimum": f"{name} < {bound}",
        "maximum": f"{name} > {bound}",
        "exclusiveMinimum": f"{name} <= {bound}",
        "exclusiveMaximum": f"{name} >= {bound}",
        "multipleOf": f"{name} % {bound} <> 0",
        "minLength": f"length({name}) < {_text(value)}::BIGINT",
        "maxLength": f"length({name}) > {_text(value)}::BIGINT",
        "minItems": f"len({name}) < {_text(value)}::BIGINT",
        "maxItems": f"len({name}) > {_text(value)}::BIGINT",
        "pattern": _not_like(name, str(value)),
    }
    if option == "format" and logical != "string":
        return None
    if option == "format" and value in _FORMATS:
        return _not_like(name, _FORMATS[value])
    if option in ("timezone", "defaultTimezone") or (option == "uniqueItems" and not value):
        return None
    if option == "uniqueItems":
        return f"len({name}) <> len(list_distinct({name}))"
    if option not in texts:
        raise Unmeasurable(f"Hanse cannot check the option {option} = {value!r}")
    return texts[option]
