"""Random Avro schemas, and values that fit them."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import fastavro
import numpy as np


def encoded(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return out.getvalue()


class Topics:
    """Random schemas and values that fit them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.named = 0

    def topic(self) -> tuple[Any, list[dict[str, Any]]]:
        made = [self.kind(2) for _ in range(self.random.randint(1, 5))]
        fields = [{"name": f"c{i}", "type": kind} for i, (kind, _) in enumerate(made)]
        count = self.random.randint(1, 15)
        values = [{f"c{i}": value() for i, (_, value) in enumerate(made)} for _ in range(count)]
        return {"type": "record", "name": "Top", "fields": fields}, values

    def kind(self, depth: int) -> tuple[Any, Callable[[], Any]]:
        r = self.random
        choice = r.randint(0, 5) if depth else 0
        if choice <= 1:
            return r.choice(self.plain())
        kind, value = self.kind(depth - 1)
        if choice == 2 and not isinstance(kind, list):
            return ["null", kind], lambda: value() if r.random() < 0.6 else None
        if choice == 3:
            return {"type": "array", "items": kind}, lambda: [value() for _ in range(r.choice([0, 1, 2, 12]))]
        if choice == 4:
            return {"type": "map", "values": kind}, lambda: {
                self.text(): value() for _ in range(r.randint(0, 3))
            }
        self.named += 1
        schema = {"type": "record", "name": f"N{self.named}", "fields": [{"name": "f", "type": kind}]}
        return schema, lambda: {"f": value()}

    def text(self) -> str:
        return "".join(self.random.choice("abé🙂\n\x00") for _ in range(self.random.choice([0, 1, 3, 30])))

    def whole(self, bits: int) -> int:
        size = self.random.randint(0, bits - 1)
        return self.random.randint(-(1 << size), (1 << size) - 1)

    def plain(self) -> list[tuple[Any, Callable[[], Any]]]:
        r = self.random
        self.named += 1
        return [
            ("boolean", lambda: r.random() < 0.5),
            ("int", lambda: self.whole(32)),
            ("long", lambda: self.whole(64)),
            ("double", lambda: r.uniform(-1e9, 1e9)),
            ("float", lambda: float(np.float32(r.uniform(-9, 9)))),
            ("string", self.text),
            ("bytes", lambda: r.randbytes(r.choice([0, 2, 90]))),
            ({"type": "enum", "name": f"E{self.named}", "symbols": ["A", "B", "C"]}, lambda: r.choice("ABC")),
            ({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
             lambda: D(self.whole(39)).scaleb(-2)),
            ({"type": "int", "logicalType": "date"}, lambda: dt.date.fromordinal(r.randint(1, 3_000_000))),
            ({"type": "long", "logicalType": "local-timestamp-micros"},
             lambda: dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=self.whole(56))),
        ]  # fmt: skip
