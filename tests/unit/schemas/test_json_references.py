"""Where a `$ref` of JSON Schema leads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hanse.errors import SchemaError
from hanse.schemas import ParsedSchema, Reference, check, parse

MODERN = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string"}


def schema(document: Any, **references: Any) -> ParsedSchema:
    """A parsed document; names of references have `_` for `.`."""
    known = [Reference(name.replace("_", "."), json.dumps(body)) for name, body in references.items()]
    return parse("JSON", json.dumps(document), known)


def referring(ref: str) -> dict[str, Any]:
    return {"properties": {"a": {"$ref": ref}}}


@pytest.mark.parametrize(
    ("document", "references"),
    [
        ({**referring("#/definitions/x"), "definitions": {"x": TEXT}}, {}),
        ({**referring("#/$defs/x"), "definitions": {"x": TEXT}}, {}),
        ({**referring("#/definitions/a~1b%25"), "definitions": {"a/b%": TEXT}}, {}),
        ({**referring("#/definitions/x"), "definitions": {"x": {"$ref": "#/definitions/y"}, "y": TEXT}}, {}),
        ({**referring("#here"), "definitions": {"x": {"$id": "#here", **TEXT}}}, {}),
        ({"$schema": MODERN, **referring("#here"), "$defs": {"x": {"$anchor": "here", **TEXT}}}, {}),
        (
            {
                "$id": "http://x/y.json",
                **referring("z.json"),
                "definitions": {"z": {"$id": "z.json", **TEXT}},
            },
            {},
        ),
        (
            {
                "$id": "foo://h/dir/y",
                **referring("foo://h/dir/z"),
                "definitions": {"z": {"$id": "z", **TEXT}},
            },
            {},
        ),
        ({"$id": "urn:x:y", **referring("urn:x:z"), "definitions": {"z": {"$id": "urn:x:z", **TEXT}}}, {}),
        (
            {"$id": "http://x/y.json", **referring("other.json#/definitions/q")},
            {"other_json": {"definitions": {"q": TEXT}}},
        ),
        (referring("./other.json"), {"other_json": TEXT}),
        (referring("http://z/other.json"), {"other_json": {"$id": "http://z/other.json", **TEXT}}),
        (
            {"$schema": MODERN, **referring("other.json#/$defs/q")},
            {"other_json": {"definitions": {"q": TEXT}}},
        ),
    ],
)
def test_references_mean_what_they_name(document: Any, references: Any) -> None:
    plain = schema({"properties": {"a": TEXT}})
    number = schema({"properties": {"a": {"type": "number"}}})
    found = schema(document, **references)
    assert check(found, [(1, plain)], "FULL") == []
    assert [f.path for f in check(found, [(1, number)], "BACKWARD")] == ["#/properties/a"]


@pytest.mark.parametrize(
    "ref", ["http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema", MODERN]
)
def test_published_meta_schemas_need_no_network(ref: str) -> None:
    found = schema({"$ref": ref})
    assert check(found, [(1, schema({"$ref": ref}))], "FULL") == []


@pytest.mark.parametrize(
    "ref",
    ["#/nowhere", "#nowhere", "nowhere.json", "http://nowhere.example/x", "#/properties/a/0", "http://[", ""],
)
def test_references_that_lead_nowhere(ref: str) -> None:
    if ref == "":
        schema(referring(ref))
        return
    with pytest.raises(SchemaError, match="nowhere") as caught:
        schema(referring(ref))
    assert caught.value.where == "#/properties/a"


def test_a_recursive_difference_is_found_behind_the_recursion() -> None:
    def tree(leaf: dict[str, Any]) -> dict[str, Any]:
        node = {"properties": {"kids": {"items": {"$ref": "#/definitions/node"}}, "value": leaf}}
        return {"definitions": {"node": node}, "oneOf": [{"$ref": "#/definitions/node"}, {"type": "null"}]}

    wider = check(schema(tree({"type": "number"})), [(1, schema(tree({"type": "integer"})))], "BACKWARD")
    assert wider == []
    narrower = check(schema(tree({"type": "integer"})), [(1, schema(tree({"type": "number"})))], "BACKWARD")
    assert "COMBINED_TYPE_SUBSCHEMAS_CHANGED" in {f.kind for f in narrower}
    assert "TYPE_NARROWED" in {f.kind for f in narrower}
