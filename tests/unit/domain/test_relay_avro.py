"""The relay's own Avro writer against the general one."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.errors import SchemaError
from hanse.relay.avro import record_writer

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
TYPES: dict[str, Any] = {
    "text": "string",
    "small": "int",
    "large": "long",
    "flag": "boolean",
    "marked": {"type": "string", "hanse.personal": "text"},
    "money": MONEY,
    "millis": MILLIS,
    "micros": MICROS,
    "maybe": ["null", MONEY],
    "perhaps": [MILLIS, "null"],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "All",
    "fields": [{"name": name, "type": kind} for name, kind in TYPES.items()],
}
AMOUNTS = st.decimals(-(10**15), 10**15, places=2, allow_nan=False)
EARLY, LATE = datetime(1900, 1, 1), datetime(2200, 1, 1)
MOMENTS = st.datetimes(EARLY, LATE, timezones=st.just(UTC))
WHOLE_MILLIS = MOMENTS.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
VALUES = st.fixed_dictionaries(
    {
        "text": st.text(max_size=400),
        "small": st.integers(-(2**31), 2**31 - 1),
        "large": st.integers(-(2**63), 2**63 - 1),
        "flag": st.booleans(),
        "marked": st.text(max_size=20),
        "money": AMOUNTS,
        "millis": WHOLE_MILLIS,
        "micros": MOMENTS,
        "maybe": st.none() | AMOUNTS,
        "perhaps": st.none() | WHOLE_MILLIS,
    }
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_what_is_written_is_read_back_by_the_general_reader(value: dict[str, Any]) -> None:
    parsed = fastavro.parse_schema(SCHEMA)
    data = record_writer(parsed, b"frame")(value)
    assert data[:5] == b"frame"
    assert fastavro.schemaless_reader(io.BytesIO(data[5:]), parsed) == value


def test_moments_before_the_epoch_and_within_a_millisecond_are_floored() -> None:
    parsed = fastavro.parse_schema({"type": "record", "name": "T", "fields": [
        {"name": "a", "type": MILLIS}, {"name": "b", "type": MILLIS}]})  # fmt: skip
    before = datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)
    data = record_writer(parsed, b"")({"a": before, "b": before + timedelta(milliseconds=1)})
    read: Any = fastavro.schemaless_reader(io.BytesIO(data), parsed)
    assert read["a"] == datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert read["b"] == datetime(1970, 1, 1, tzinfo=UTC)


GOOD: dict[str, Any] = {
    "text": "t", "small": 1, "large": 1, "flag": True, "marked": "m", "money": Decimal("1.00"),
    "millis": datetime(2026, 1, 1, tzinfo=UTC), "micros": datetime(2026, 1, 1, tzinfo=UTC),
    "maybe": None, "perhaps": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", None),
        ("text", b"bytes"),
        ("text", ["list"]),
        ("small", 2**31),
        ("small", "1"),
        ("large", 2**63),
        ("flag", "yes"),
        ("money", Decimal("1.005")),
        ("money", Decimal("1e17")),
        ("money", Decimal("NaN")),
        ("money", 1.5),
        ("millis", datetime(2026, 1, 1)),
        ("millis", "2026-01-01"),
        ("maybe", "x"),
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: Any) -> None:
    write = record_writer(fastavro.parse_schema(SCHEMA), b"")
    write(GOOD)
    with pytest.raises(SchemaError) as caught:
        write({**GOOD, field: value})
    assert caught.value.where == f"field {field}"
    write(GOOD)


def test_other_types_go_through_the_general_writer() -> None:
    tags = {"name": "tags", "type": {"type": "array", "items": "string"}}
    number = {"name": "n", "type": "int"}
    parsed = fastavro.parse_schema({"type": "record", "name": "L", "fields": [tags, number]})
    write = record_writer(parsed, b"")
    value = {"tags": ["a", "b"], "n": 3}
    assert fastavro.schemaless_reader(io.BytesIO(write(value)), parsed) == value
    with pytest.raises(SchemaError):
        write({"tags": 5, "n": 3})
