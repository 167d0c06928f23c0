"""A topic of structured CloudEvents, beside records in binary mode, gives the same product."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hanse.ports.event_log import Record
from helpers.projection_mesh import ProjectionMesh, sale

STRUCTURED = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


def structured(record: Record, **data: Any) -> Record:
    assert record.value is not None
    event = {"specversion": "1.0", "id": "1", "source": "/partner", "type": "Sold", **data}
    return replace(record, value=json.dumps(event).encode(), headers=STRUCTURED)


def table(mesh: ProjectionMesh) -> tuple[list[Any], list[str]]:
    projector = mesh.projector(mesh.product())
    projector.run_to_head()
    rows = projector.con.execute(f"SELECT * FROM {projector.engine.output('shop.report')}").fetchall()
    letters = next((t for t in mesh.log.topics() if t.spec.name == "shop.sales.dead-letter"), None)
    reasons: list[str] = []
    if letters is not None:
        fetched = mesh.log.read("shop.sales.dead-letter", dict.fromkeys(range(letters.spec.partitions), 0))
        for headers in fetched.rows.column("headers").to_pylist():
            reasons += [h["value"].decode() for h in headers if h["name"].endswith("reason")]
    return sorted(rows), sorted(reasons)


def test_binary_data_in_structured_events(tmp_path: Path) -> None:
    plain, mixed = ProjectionMesh(tmp_path / "plain"), ProjectionMesh(tmp_path / "mixed")
    records = [plain.record(plain.sales, sale(n, "SP" if n % 2 else "RJ")) for n in range(20)]
    plain.log.produce("shop.sales", records)

    def event(record: Record) -> Record:
        data = base64.b64encode(record.value or b"").decode()
        return structured(record, datacontenttype="application/avro", data_base64=data)

    broken = [
        structured(records[0], data={"sale_id": "s1"}),
        structured(records[0], data_base64="?"),
        structured(records[0], data_base64="AAAA"),
        replace(records[0], value=b"{", headers=STRUCTURED),
    ]
    mixed.log.produce("shop.sales", [*(event(r) if i % 3 else r for i, r in enumerate(records)), *broken])
    expected, none = table(plain)
    found, reasons = table(mixed)
    assert (found, none) == (expected, [])
    assert len(found) == 2
    assert len(reasons) == len(broken)
    assert any("data_base64" in reason for reason in reasons)
    plain.close()
    mixed.close()
