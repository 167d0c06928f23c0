"""Whether what one JSON Schema accepts is accepted by another, by the rules of Confluent's registry.

They are stricter than a subset test of the sets of documents: a property may be added freely only where the
older schema is closed, since an open one may already have let anything pass under that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import Budget, Finding, short
from hanse.schemas.json_match import largest_matching
from hanse.schemas.json_model import JsonSchema, Node
from hanse.schemas.patterns import finds
from hanse.schemas.text import sorted_json

_UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxContains", "maxProperties")
_LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minContains", "minProperties")
_PATTERN_STEPS = 5  # what matching a name with a pattern counts
_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")


def compare_json(new: JsonSchema, old: JsonSchema, budget: Budget | None = None) -> list[Finding]:
    """Everything that `old` accepts and `new` refuses, or may refuse. Raises SchemaError beyond bounds."""
    budget = budget or Budget()
    known_bad: dict[tuple[int, int], list[Finding]] = {}
    try:
        while True:
            comparison = _Comparison(budget, known_bad)
            found = comparison.compare(old.root, new.root, "#")
            bad = {pair: findings for pair, findings in comparison.known.items() if findings}
            if not comparison.assumed or bad.keys() == known_bad.keys():
                return found
            known_bad = bad
    except RecursionError as error:
        raise SchemaError("the schemas are nested too deeply to compare") from error


class _Comparison:
    """One pass. A pair met inside itself is taken as compatible unless an earlier pass proved otherwise."""

    def __init__(self, budget: Budget, known_bad: dict[tuple[int, int], list[Finding]]) -> None:
        self.budget = budget
        self.known_bad = known_bad
        self.known: dict[tuple[int, int], list[Finding]] = {}
        self.running: set[tuple[int, int]] = set()
        self.assumed = False

    def compare(self, old: Node | None, new: Node | None, path: str) -> list[Finding]:
        """Findings between two schemas, either of which may be absent."""
        self.budget.spend()
        if new is None:
            return []
        if old is None:
            message = "the new schema constrains what the old one left open"
            return [Finding(path, "SCHEMA_ADDED", "absent", new.label, message)]
        found = self._memoised(_followed(old), _followed(new))
        self.budget.spend(len(found))
        return [replace(f, path=path + f.path) for f in found]

    def _memoised(self, old: Node, new: Node) -> list[Finding]:
        pair = (id(old), id(new))
        if pair in self.known:
            return self.known[pair]
        if pair in self.running:
            if pair in self.known_bad:
                return self.known_bad[pair]
            self.assumed = True
            return []
        self.running.add(pair)
        try:
            self.known[pair] = self._types(old, new)[:1_000]
        finally:
            self.running.discard(pair)
        return self.known[pair]

    # -- kinds --------------------------------------------------------------------------------------

    def _types(self, old: Node, new: Node) -> list[Finding]:
        if new.kind == "combined" and old.kind != "combined" and self._taken_by_member(old, new):
            return []
        if old.kind == "combined" and new.kind != "combined" and self._member_taken(old, new):
            return []
        if old.kind != new.kind:
            if old.kind == "none" or new.kind == "any" or (old.connect_type == new.connect_type == "bytes"):
                return []
            return [self._type_changed(old, new)]
        match old.kind:
            case "string":
                return self._bounds(old, new) + self._pattern(old, new)
            case "number":
                return self._bounds(old, new) + self._number(old, new)
            case "enum" | "const":
                return self._values(old, new)
            case "combined":
                return self._combined(old, new)
            case "not":
                return self._negation(old, new)
            case "object":
                return self._object(old, new)
            case "array":
                return self._array(old, new)
            case _:
                return []

    def _type_changed(self, old: Node, new: Node) -> Finding:
        message = f"what was {old.label} must now be {new.label}"
        return Finding("", "TYPE_CHANGED", old.label, new.label, message)

    def _taken_by_member(self, old: Node, new: Node) -> bool:
        if len(new.members) != 1 and new.criterion == "allOf":
            return False
        return any(not self.compare(old, member, "") for member in new.members)

    def _member_taken(self, old: Node, new: Node) -> bool:
        if len(old.members) != 1 and old.criterion != "allOf":
            return False
        return any(not self.compare(member, new, "") for member in old.members)

    # -- values -------------------------------------------------------------------------------------

    def _bounds(self, old: Node, new: Node) -> list[Finding]:
        found: list[Finding] = []
        for keys, tighter in ((_UPPER, "DECREASED"), (_LOWER, "INCREASED")):
            for key in keys:
                before, after = old.bounds.get(key), new.bounds.get(key)
                if after is None or before == after:
                    continue
                if before is None:
                    found.append(_keyword(key, "ADDED", "absent", after, "a limit was added"))
                elif after < before if tighter == "DECREASED" else after > before:
                    found.append(_keyword(key, tighter, before, after, "the limit is tighter"))
        return found

    def _pattern(self, old: Node, new: Node) -> list[Finding]:
        if new.pattern is None or new.pattern == old.pattern:
            return []
        change = "ADDED" if old.pattern is None else "CHANGED"
        return [
            _keyword(
                "pattern", change, old.pattern or "absent", new.pattern, "texts must fit another pattern"
            )
        ]

    def _number(self, old: Node, new: Node) -> list[Finding]:
        found: list[Finding] = []
        before, after = old.bounds.get("multipleOf"), new.bounds.get("multipleOf")
        if after is not None and before is None:
            found.append(_keyword("multipleOf", "ADDED", "absent", after, "only multiples are taken now"))
        elif after is not None and before is not None and before != after and not _divides(after, before):
            change = "EXPANDED" if _divides(before, after) else "CHANGED"
            found.append(_keyword("multipleOf", change, before, after, "old multiples are not all new ones"))
        if new.integer and not old.integer:
            message = "only whole numbers are taken now"
            found.append(Finding("", "TYPE_NARROWED", "number", "integer", message))
        return found

    def _values(self, old: Node, new: Node) -> list[Finding]:
        before = {_value_key(v): v for v in old.values}
        after = {_value_key(v): v for v in new.values}
        lost = [v for k, v in before.items() if k not in after]
        if not lost:
            return []
        change = "ENUM_ARRAY_NARROWED" if after.keys() <= before.keys() else "ENUM_ARRAY_CHANGED"
        change = "ENUM_ARRAY_CHANGED" if old.kind == "const" else change
        message = f"{_listed(lost)} is not taken any more"
        sides = _listed(old.values), _listed(new.values)
        return [Finding(f"/{old.kind}", change, *sides, message)]

    # -- combinations -------------------------------------------------------------------------------

    def _negation(self, old: Node, new: Node) -> list[Finding]:
        """What is excluded may only shrink, so the inner schemas are compared the other way round."""
        if not self.compare(new.inner, old.inner, ""):
            return []
        message = "the new schema excludes more"
        return [Finding("/not", "NOT_TYPE_EXTENDED", _label(old.inner), _label(new.inner), message)]

    def _combined(self, old: Node, new: Node) -> list[Finding]:
        if not _criterion_may_change(old, new):
            message = "the combination is of another kind"
            return [Finding("", "COMBINED_TYPE_CHANGED", old.label, new.label, message)]
        olds = list({m.identity(): m for m in old.members}.values())
        news = list({m.identity(): m for m in new.members}.values())
        found: list[Finding] = []
        if len(olds) < len(news) and new.criterion == "allOf":
            message = "values must now satisfy more schemas at once"
            found.append(Finding(f"/{new.criterion}", "PRODUCT_TYPE_EXTENDED", old.label, new.label, message))
        if len(olds) > len(news) and old.criterion != "allOf":
            message = "alternatives were taken away"
            found.append(Finding(f"/{old.criterion}", "SUM_TYPE_NARROWED", old.label, new.label, message))
        return found + self._members(old.criterion, olds, news)

    def _members(self, criterion: str, olds: list[Node], news: list[Node]) -> list[Finding]:
        """Each schema of the smaller side needs a partner of its own on the other side."""
        self.budget.spend(len(olds) * len(news))
        reasons = {
            (i, j): self.compare(old, new, f"/{criterion}/{i}")
            for i, old in enumerate(olds)
            for j, new in enumerate(news)
        }
        edges = {i: [j for j in range(len(news)) if not reasons[i, j]] for i in range(len(olds))}
        matched = largest_matching(edges)
        if len(matched) >= min(len(olds), len(news)):
            return []
        message = "the schemas of the combination do not pair up"
        sides = short(", ".join(m.label for m in olds)), short(", ".join(m.label for m in news))
        found = [Finding(f"/{criterion}", "COMBINED_TYPE_SUBSCHEMAS_CHANGED", *sides, message)]
        free = [j for j in range(len(news)) if j not in matched.values()]
        for i in (i for i in range(len(olds)) if i not in matched):
            candidates = [reasons[i, j] for j in free if olds[i].kind == news[j].kind]
            found += min(candidates, key=len, default=[])
        return found

    # -- objects ------------------------------------------------------------------------------------

    def _object(self, old: Node, new: Node) -> list[Finding]:
        found = self._bounds(old, new)
        for name in {**old.properties, **new.properties}:
            before, after = old.properties.get(name), new.properties.get(name)
            path = f"/properties/{_escaped(name)}"
            if before is not None and after is not None:
                found += self._required(name, old, new) + self.compare(before, after, path)
            elif after is None and before is not None:
                found += self._removed(name, before, new, path)
            elif after is not None:
                found += self._added(name, after, old, new, path)
        return (
            found
            + self._dependencies(old, new)
            + self._rest(old, new, "additionalProperties")
            + self._unevaluated(old, new, "unevaluatedProperties")
        )

    def _required(self, name: str, old: Node, new: Node) -> list[Finding]:
        if name not in new.required or name in old.required or new.properties[name].has_default:
            return []
        message = f"{name!r} was optional and is required now, without a default"
        return [
            Finding(
                f"/required/{_escaped(name)}", "REQUIRED_ATTRIBUTE_ADDED", "optional", "required", message
            )
        ]

    def _removed(self, name: str, before: Node, new: Node, path: str) -> list[Finding]:
        if _open(new, patterns=True):
            return []
        self.budget.spend(_PATTERN_STEPS * len(new.patterns))
        cover = _cover(new, name)
        if cover is None:
            if before.kind == "none":
                return []
            message = f"{name!r} was taken away and the new schema takes no other properties"
            return [
                Finding(path, "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", before.label, "absent", message)
            ]
        inner = self.compare(before, cover, path)
        if not inner:
            return []
        message = f"{name!r} was taken away and what covers it now is narrower"
        kind = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
        return [*inner, Finding(path, kind, before.label, cover.label, message)]

    def _added(self, name: str, after: Node, old: Node, new: Node, path: str) -> list[Finding]:
        required = name in new.required and not after.has_default
        if _open(old, patterns=True):
            if after.kind == "any":
                return []
            kind = _added_to_open(required, name in new.required)
            message = f"the old schema took anything under {name!r}, so old data may not fit"
            return [Finding(path, kind, "open", after.label, message)]
        found: list[Finding] = []
        self.budget.spend(_PATTERN_STEPS * len(old.patterns))
        cover = _cover(old, name)
        if cover is not None:
            inner = self.compare(cover, after, path)
            if inner:
                message = f"{name!r} is narrower than what the old schema took under that name"
                kind = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
                found += [*inner, Finding(path, kind, cover.label, after.label, message)]
        if required:
            message = f"{name!r} is new and required, without a default"
            kind = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
            found.append(Finding(path, kind, "absent", f"{after.label}, required", message))
        return found

    def _dependencies(self, old: Node, new: Node) -> list[Finding]:
        found: list[Finding] = []
        for name, after in new.needs.items():
            before = old.needs.get(name)
            path = f"/dependencies/{_escaped(name)}"
            if before is None:
                kind, message = "DEPENDENCY_ARRAY_ADDED", f"{name!r} now asks for other properties"
            elif after <= before:
                continue
            else:
                kind = "DEPENDENCY_ARRAY_EXTENDED" if after > before else "DEPENDENCY_ARRAY_CHANGED"
                message = f"{name!r} now asks for more properties"
            sides = ", ".join(sorted(before)) if before else "absent", ", ".join(sorted(after))
            found.append(Finding(path, kind, short(sides[0]), short(sides[1]), message))
        for name, after in new.needs_schema.items():
            before = old.needs_schema.get(name)
            path = f"/dependencies/{_escaped(name)}"
            if before is None:
                message = f"{name!r} now asks for another schema"
                found.append(Finding(path, "DEPENDENCY_SCHEMA_ADDED", "absent", after.label, message))
            else:
                found += self.compare(before, after, path)
        return found

    # -- what lies outside the named ----------------------------------------------------------------

    def _rest(self, old: Node, new: Node, key: str) -> list[Finding]:
        path, kind = f"/{key}", _upper(key)
        if old.closed != new.closed:
            if old.closed:
                return []
            message = "nothing beyond what is listed is taken any more"
            return [Finding(path, f"{kind}_REMOVED", _label(old.others, "open"), "closed", message)]
        if old.others is None and new.others is not None:
            message = "what lies beyond the listed was free and has a schema now"
            return [Finding(path, f"{kind}_NARROWED", "open", new.others.label, message)]
        return self.compare(old.others, new.others, path)

    def _unevaluated(self, old: Node, new: Node, key: str) -> list[Finding]:
        before, after = old.unevaluated, new.unevaluated
        if after is None or (before is not None and before.kind == "none" and after.kind != "none"):
            return []
        path, kind = f"/{key}", _upper(key)
        if after.kind == "none" and (before is None or before.kind != "none"):
            message = "nothing unevaluated is taken any more"
            return [Finding(path, f"{kind}_REMOVED", _label(before, "open"), "closed", message)]
        if before is None or (before.kind == "any" and after.kind != "any"):
            message = "what was not evaluated was free and has a schema now"
            return [Finding(path, f"{kind}_NARROWED", "open", after.label, message)]
        return [] if after.kind == "any" else self.compare(before, after, path)

    # -- arrays -------------------------------------------------------------------------------------

    def _array(self, old: Node, new: Node) -> list[Finding]:
        found = self.compare(old.items, new.items, "/items") + list(self._tuples(old, new))
        found += self._rest(old, new, "additionalItems") + self._unevaluated(old, new, "unevaluatedItems")
        if new.unique and not old.unique:
            found.append(_keyword("uniqueItems", "ADDED", "false", "true", "items must differ now"))
        return found + self._bounds(old, new)

    def _tuples(self, old: Node, new: Node) -> Iterator[Finding]:
        olds, news = old.tuple or [], new.tuple or []
        for i in range(max(len(olds), len(news))):
            path = f"/items/{i}"
            if i < len(olds) and i < len(news):
                yield from self.compare(olds[i], news[i], path)
            elif i < len(olds):
                yield from self._item_removed(olds[i], new, path)
            else:
                yield from self._item_added(news[i], old, path)

    def _item_removed(self, before: Node, new: Node, path: str) -> Iterator[Finding]:
        if _open(new):
            return
        cover = _cover(new)
        if cover is None:
            if before.kind != "none":
                message = "the item was taken away and no further items are taken"
                yield Finding(path, "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", before.label, "absent", message)
            return
        inner = self.compare(before, cover, path)
        yield from inner
        if inner:
            message = "the item was taken away and what covers it now is narrower"
            kind = "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
            yield Finding(path, kind, before.label, cover.label, message)

    def _item_added(self, after: Node, old: Node, path: str) -> Iterator[Finding]:
        if _open(old):
            if after.kind != "any":
                message = "the old schema took anything at that place"
                yield Finding(path, "ITEM_ADDED_TO_OPEN_CONTENT_MODEL", "open", after.label, message)
            return
        cover = _cover(old)
        if cover is None:
            return
        inner = self.compare(cover, after, path)
        yield from inner
        if inner:
            message = "the item is narrower than what the old schema took at that place"
            kind = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
            yield Finding(path, kind, cover.label, after.label, message)


def _followed(node: Node) -> Node:
    """What a reference stands for, through references to references; one that only meets itself stays."""
    seen = {id(node)}
    while node.kind == "reference" and node.inner is not None and id(node.inner) not in seen:
        node = node.inner
        seen.add(id(node))
    return node


def _open(node: Node, *, patterns: bool = False) -> bool:
    """Anything may stand beside what the schema lists."""
    if node.closed or node.others is not None or (patterns and node.patterns):
        return False
    return node.unevaluated is None or node.unevaluated.kind == "any"


def _cover(node: Node, name: str | None = None) -> Node | None:
    """The schema that a property (or an item) which is not listed must satisfy, if there is one."""
    for pattern, inner in node.patterns.items():
        if name is not None and finds(pattern, name):
            return inner
    if node.others is not None:
        return node.others
    if node.closed or node.unevaluated is None or node.unevaluated.kind in {"none", "any"}:
        return None
    return node.unevaluated


def _criterion_may_change(old: Node, new: Node) -> bool:
    if old.criterion == new.criterion or new.criterion == "anyOf":
        return True
    single_old, single_new = len(old.members) == 1, len(new.members) == 1
    return (single_old and (single_new or new.criterion == "oneOf")) or (
        single_new and old.criterion == "allOf"
    )


def _added_to_open(required: bool, listed: bool) -> str:
    if required:
        return "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
    kind = "REQUIRED_PROPERTY_WITH_DEFAULT" if listed else "OPTIONAL_PROPERTY"
    return f"{kind}_ADDED_TO_OPEN_CONTENT_MODEL"


def _keyword(key: str, change: str, old: object, new: object, message: str) -> Finding:
    return Finding(f"/{key}", f"{_upper(key)}_{change}", short(old), short(new), message)


def _upper(key: str) -> str:
    return _CAMEL.sub("_", key).upper()


def _label(node: Node | None, absent: str = "absent") -> str:
    return absent if node is None else node.label


def _escaped(name: str) -> str:
    return short(name, 80).replace("~", "~0").replace("/", "~1")


def _listed(values: list[Any]) -> str:
    more = ", …" if len(values) > 20 else ""
    return short(sorted_json(values[:20])) + more


def _value_key(value: Any) -> object:
    """Equal for equal JSON values; 1, 1.0 and true are three values."""
    if isinstance(value, str | int | float | bool | None):
        return type(value), value
    return sorted_json(value)


def _divides(divisor: float, value: float) -> bool:
    """Whether `value` is a whole multiple of `divisor`, decimals taken at their written value."""
    from decimal import Decimal, DivisionImpossible, InvalidOperation

    try:
        return divisor != 0 and Decimal(str(value)) % Decimal(str(divisor)) == 0
    except (DivisionImpossible, InvalidOperation):
        return False
