"""What every adapter of the SchemaRegistry port must do. Subclasses give the fixture `registry`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hanse.errors import IncompatibleSchema, SchemaError
from hanse.ports.schema_registry import SchemaReference


def record(*fields: tuple[str, Any] | tuple[str, Any, Any], name: str = "Order") -> str:
    """An Avro record; a third element of a field is its default."""
    made = [{"name": f[0], "type": f[1], **({"default": f[2]} if len(f) > 2 else {})} for f in fields]
    return json.dumps({"type": "record", "name": name, "fields": made})


class SchemaRegistryContract:
    """Inherit, and give `registry`: an empty registry whose mode is BACKWARD."""

    def test_first_registration_has_version_one_and_an_id(self, registry: Any) -> None:
        found = registry.register("orders.placed-value", record(("id", "string")))
        assert (found.subject, found.version, found.schema_type) == ("orders.placed-value", 1, "AVRO")
        assert found.id >= 1
        assert json.loads(found.schema)["name"] == "Order"

    def test_equal_schema_is_the_same_version(self, registry: Any) -> None:
        first = registry.register("a-value", record(("id", "string")))
        spaced = json.dumps(json.loads(record(("id", "string"))), indent=4)
        assert registry.register("a-value", spaced) == first
        assert len(registry.versions("a-value")) == 1

    def test_same_schema_under_another_subject_keeps_its_id(self, registry: Any) -> None:
        first = registry.register("a-value", record(("id", "string")))
        second = registry.register("b-value", record(("id", "string")))
        assert (second.id, second.version, second.subject) == (first.id, 1, "b-value")

    def test_compatible_change_is_the_next_version(self, registry: Any) -> None:
        first = registry.register("a-value", record(("id", "string")))
        second = registry.register("a-value", record(("id", "string"), ("note", "string", "")))
        assert second.version == 2
        assert second.id != first.id
        assert registry.latest("a-value") == second
        assert [v.version for v in registry.versions("a-value")] == [1, 2]

    def test_incompatible_change_is_refused_with_subject_path_and_rule(self, registry: Any) -> None:
        registry.register("a-value", record(("id", "string")))
        with pytest.raises(IncompatibleSchema) as caught:
            registry.register("a-value", record(("id", "string"), ("note", "string")))
        text = str(caught.value)
        assert "a-value" in text
        assert "$.note" in text
        assert "READER_FIELD_MISSING_DEFAULT_VALUE" in text
        assert len(registry.versions("a-value")) == 1

    def test_by_id_finds_what_was_registered(self, registry: Any) -> None:
        first = registry.register("a-value", record(("id", "string")))
        found = registry.by_id(first.id)
        assert (found.id, found.schema, found.schema_type) == (first.id, first.schema, "AVRO")

    def test_unknown_id_and_subject(self, registry: Any) -> None:
        with pytest.raises(SchemaError):
            registry.by_id(4711)
        with pytest.raises(SchemaError):
            registry.latest("nobody")
        assert registry.versions("nobody") == []

    def test_subjects_by_name(self, registry: Any) -> None:
        assert registry.subjects() == []
        for name in ("b-value", "a-value", "with/slash and blank"):
            registry.register(name, record(("id", "string")))
        assert registry.subjects() == ["a-value", "b-value", "with/slash and blank"]
        assert registry.latest("with/slash and blank").version == 1

    @pytest.mark.parametrize(
        "text", ["", "{", '{"type": "recrod"}', '{"type": "record", "name": "x"}', "[" * 5_000]
    )
    def test_malformed_schema_is_refused(self, registry: Any, text: str) -> None:
        with pytest.raises(SchemaError):
            registry.register("a-value", text)
        assert registry.subjects() == []

    def test_default_that_does_not_fit_is_refused(self, registry: Any) -> None:
        with pytest.raises(SchemaError, match="default"):
            registry.register("a-value", record(("n", "int", "none")))

    def test_json_schema_and_protobuf(self, registry: Any) -> None:
        closed = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
        wider = {**closed, "properties": {**closed["properties"], "b": {"type": "integer"}}}
        registry.register("j-value", json.dumps(closed), "JSON")
        assert registry.register("j-value", json.dumps(wider), "JSON").version == 2
        with pytest.raises(IncompatibleSchema):
            registry.register("j-value", json.dumps({"type": "array"}), "JSON")
        proto = 'syntax = "proto3"; message M { string a = 1; }'
        first = registry.register("p-value", proto, "PROTOBUF")
        assert first.schema_type == "PROTOBUF"
        assert registry.register("p-value", proto.replace("M {", "M  {"), "PROTOBUF") == first
        with pytest.raises(IncompatibleSchema):
            registry.register("p-value", proto.replace("string", "int32"), "PROTOBUF")

    def test_references_are_resolved(self, registry: Any) -> None:
        address = json.dumps(
            {"type": "record", "name": "geo.Address", "fields": [{"name": "zip", "type": "string"}]}
        )
        registry.register("address", address)
        reference = SchemaReference("geo.Address", "address", 1)
        text = record(("to", "geo.Address"))
        with pytest.raises(SchemaError, match=r"geo\.Address"):
            registry.register("order-value", text)
        found = registry.register("order-value", text, "AVRO", (reference,))
        assert found.references == (reference,)
        assert registry.by_id(found.id).references == (reference,)
        with pytest.raises(SchemaError):
            registry.register("other-value", text, "AVRO", (SchemaReference("geo.Address", "address", 9),))
