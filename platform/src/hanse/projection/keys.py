"""A record's key and the key columns of its value: they must agree, and a tombstone has nothing else.

Hanse writes the key columns as text, joined by `|`. Topics of others may carry keys as a JSON object (of
Kafka Connect, with or without its schema) or in Confluent's frame; those are read for tombstones, and
beside a value they are taken as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hanse.errors import DecodeError, SchemaError, UnknownSchema
from hanse.ports.schema_registry import SchemaRegistry
from hanse.wire.avro.resolve import Plan, resolve
from hanse.wire.avro.rows import read_row
from hanse.wire.avro.schema import AvroType, Field, parse
from hanse.wire.decoded import Poison
from hanse.wire.frame import Ints
from hanse.wire.json.rows import load

NO_KEY = "the record has no key"
KEY_TEXT = "the key is not UTF-8"
KEY_PARTS = "the key does not have the parts of the topic's key"
KEY_TYPE = "a part of the key has not its column's type"
KEY_SCHEMA = "the schema of the key cannot be used"
WRONG_KEY = "the record lies under a key that its value does not have"
Mask = npt.NDArray[np.bool_]
_OTHER_FORMS = "^[\\x00{]"
_EXTERNAL_FORMS = '^[\\x00{"]'


class Keys:
    """The keys of one topic. `strict`: a record without a key is wrong, as in a topic of state.

    `external`: others chose its form, so beside a value it is not looked at, and text may be quoted as JSON.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        schema: pa.Schema,
        registry: SchemaRegistry | None,
        *,
        strict: bool,
        external: bool = False,
    ) -> None:
        self.columns = columns
        self.external = external
        self.types = [schema.field(name).type for name in columns]
        self.registry = registry
        self.strict = strict
        self._plans: dict[int, Plan | None] = {}

    def wrong(self, keys: pa.ChunkedArray, values: pa.Table) -> Mask:
        """Which keys are not those of the values beside them."""
        columns = [] if self.external else [values.column(name) for name in self.columns]
        if not columns or not all(_plain(kind) for kind in self.types):
            return np.zeros(values.num_rows, dtype=np.bool_)
        texts = [c.cast(pa.string()).cast(pa.large_binary()) for c in columns]
        expected = pc.call_function("binary_join_element_wise", [*texts, pa.scalar(b"|", pa.large_binary())])
        wrong = ~_truth(pc.call_function("equal", [expected, keys]))
        if not wrong.any():
            return wrong
        wrong[wrong] = ~_other_form(_OTHER_FORMS, keys.filter(pa.array(wrong)))
        lacking = keys.is_null().to_numpy()
        return wrong | lacking if self.strict else wrong & ~lacking

    def read(self, rows: Ints, keys: pa.ChunkedArray) -> tuple[Ints, list[pa.Array], list[Poison]]:
        """The key columns of tombstones: rows whose key reads, their columns, and the others."""
        if len(self.columns) == 1 and pa.types.is_string(self.types[0]):
            plain = _plain_texts(keys, _EXTERNAL_FORMS if self.external else _OTHER_FORMS)
            if plain is not None:
                return rows, [plain], []
        found: list[list[Any]] = []
        places: list[int] = []
        poison: list[Poison] = []
        for row, key in zip(rows.tolist(), keys.to_pylist(), strict=True):
            try:
                found.append(self._parts(key))
            except DecodeError as error:
                poison.append(Poison(row, error.what))
            else:
                places.append(row)
        arrays = [pa.array([parts[i] for parts in found], kind) for i, kind in enumerate(self.types)]
        return np.array(places, dtype=np.int64), arrays, poison

    def _parts(self, key: bytes | None) -> list[Any]:
        if key is None:
            raise DecodeError(NO_KEY)
        structured = key[:1] in (b"\0", b"{") or (self.external and key[:1] == b'"')
        parts = self._structured(key) if structured else self._split(key)
        if len(parts) != len(self.columns):
            raise DecodeError(KEY_PARTS)
        return [_typed(part, kind) for part, kind in zip(parts, self.types, strict=True)]

    def _split(self, key: bytes) -> list[Any]:
        try:
            text = key.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError(KEY_TEXT) from error
        return list(text.split("|")) if len(self.columns) > 1 else [text]

    def _structured(self, key: bytes) -> list[Any]:
        """The parts of a JSON object, or of a framed Avro value."""
        document = self._framed(key) if key[:1] == b"\0" else load(key)
        if isinstance(document, dict) and document.keys() == {"schema", "payload"}:
            document = document["payload"]
        if not isinstance(document, dict):
            return [document]
        if not all(name in document for name in self.columns):
            raise DecodeError(KEY_PARTS)
        return [document[name] for name in self.columns]

    def _framed(self, key: bytes) -> Any:
        schema_id = int.from_bytes(key[1:5], "big")
        if len(key) < 5 or self.registry is None:
            raise DecodeError(KEY_SCHEMA)
        if schema_id not in self._plans:
            self._plans[schema_id] = self._plan(self.registry, schema_id)
        plan = self._plans[schema_id]
        return load(key[5:]) if plan is None else read_row(plan, key[5:])["key"]

    def _plan(self, registry: SchemaRegistry, schema_id: int) -> Plan | None:
        """A key may be a bare string or number, so it is read as the one field of a record. None for JSON."""
        try:
            written = registry.by_id(schema_id)
        except UnknownSchema as error:
            raise DecodeError(KEY_SCHEMA) from error
        if written.schema_type == "JSON":
            return None
        if written.schema_type != "AVRO":
            raise DecodeError(KEY_SCHEMA)
        try:
            record = AvroType("record", "Key", [Field("key", parse(written.schema))])
        except SchemaError as error:
            raise DecodeError(KEY_SCHEMA) from error
        return resolve(record, record)


def _typed(part: Any, kind: pa.DataType) -> Any:
    """The part as a value of the column. Raises DecodeError."""
    if part is None:
        raise DecodeError(NO_KEY)
    try:
        return pa.scalar(part).cast(kind).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError) as error:
        raise DecodeError(KEY_TYPE) from error


def _plain_texts(keys: pa.ChunkedArray, others: str) -> pa.Array | None:
    """All keys as text, when every one of them is plain text."""
    if keys.null_count or _other_form(others, keys).any():
        return None
    try:
        made = keys.cast(pa.string())
    except pa.ArrowInvalid:
        return None
    return pa.concat_arrays(made.chunks) if made.num_chunks else pa.array([], pa.string())


def _other_form(others: str, keys: pa.ChunkedArray) -> Mask:
    options = pc.MatchSubstringOptions(others)
    return _truth(pc.call_function("match_substring_regex", [keys], options))


def _truth(values: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(values, False).to_numpy(), dtype=np.bool_)


def _plain(kind: pa.DataType) -> bool:
    """Whether the value's text in a key is certain."""
    return pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_date(kind)
