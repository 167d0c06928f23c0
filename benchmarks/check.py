"""How long `hanse check` takes on a large mesh: start-up, first run, after one change, unchanged.

    python benchmarks/check.py [PRODUCTS] [SCHEMAS]

The mesh (1,000 products, 2,000 schemas, 20 domains unless told otherwise) is made in a temporary folder.
Targets: start-up under 0.5 s, the first run under 3 s after it, an unchanged second run under 0.7 s.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOMAINS = 20
COLUMNS = ("region", "channel", "category", "grade")


def make_mesh(root: Path, products: int, schemas: int) -> None:
    """Write a mesh of that size that keeps every policy."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "hanse.toml").write_text("", encoding="utf-8")
    for d in range(DOMAINS):
        mine = range(d, schemas, DOMAINS)
        name = f"area{d:02d}"
        folder = root / "domains" / name
        (folder / "events").mkdir(parents=True)
        (folder / "domain.yaml").write_text(_domain(name, mine), encoding="utf-8")
        for n in mine:
            (folder / "events" / f"thing{n}_moved.avsc").write_text(_schema(name, n), encoding="utf-8")
        for p in range(d, products, DOMAINS):
            _product(folder / "products" / f"things{p}", name, p, mine[(p // DOMAINS) % len(mine)])


def _domain(name: str, numbers: range) -> str:
    topics = "\n".join(
        f"  thing{n}_moved: {{schema: events/thing{n}_moved.avsc, key: [thing_id], event_time: moved_at, "
        f"watermark: PT5M}}"
        for n in numbers
    )
    team = f'{{name: {name}, email: {name}@example.org, support: "#{name}"}}'
    head = f"domain: {name}\npurpose: Moves things.\nteam: {team}\nlanguage:\n  Thing: What moves.\n"
    return f"{head}topics:\n{topics}\n"


def _schema(name: str, number: int) -> str:
    fields = [
        {"name": "thing_id", "type": "string", "doc": "The thing."},
        *({"name": c, "type": "string", "doc": f"Its {c}."} for c in COLUMNS),
        {
            "name": "weight",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2},
            "doc": "In kilograms.",
        },
        {"name": "moved_at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "When."},
    ]
    record = {"type": "record", "name": f"Thing{number}Moved", "namespace": name, "fields": fields}
    return json.dumps(record, indent=1)


def _product(folder: Path, domain: str, number: int, topic: int) -> None:
    folder.mkdir(parents=True)
    name, column, limit = folder.name, COLUMNS[number % len(COLUMNS)], number % 97
    team = f"team:\n  name: {domain}\n  members:\n    - {{username: {domain}@example.org, role: owner}}\n"
    head = f"id: {domain}.{name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: {domain}\n"
    (folder / "product.yaml").write_text(
        f"apiVersion: v1.1.0\nkind: DataProduct\n{head}description:\n  purpose: Things by {column}.\n"
        f"inputPorts:\n  - name: {domain}.thing{topic}_moved\n    version: 1.0.0\n    contractId: x\n"
        f"outputPorts:\n  - name: {name}\n    version: 1.0.0\n    contractId: {domain}.{name}\n{team}",
        encoding="utf-8",
    )
    (folder / "contract.yaml").write_text(
        f"apiVersion: v3.1.0\nkind: DataContract\n{head}dataProduct: {name}\n{team}schema:\n"
        f"  - name: {name}\n"
        "    physicalType: table\n    quality:\n      - {metric: rowCount, mustBeGreaterOrEqualTo: 0}\n"
        f"    properties:\n      - {{name: {column}, logicalType: string, physicalType: STRING, "
        "required: true, primaryKey: true, primaryKeyPosition: 1, description: The group.}\n"
        "      - {name: things, logicalType: integer, physicalType: BIGINT, description: How many.}\n"
        '      - {name: weight, logicalType: number, physicalType: "DECIMAL(38, 2)", '
        "description: In kilograms.}\n"
        "slaProperties:\n  - {property: freshness, value: 1, unit: h}\n",
        encoding="utf-8",
    )
    (folder / "projection.sql").write_text(
        f"SELECT {column}, COUNT(*) AS things, SUM(weight) AS weight\nFROM thing{topic}_moved\n"
        f"WHERE weight > {limit}\nGROUP BY {column}\n",
        encoding="utf-8",
    )


def run(root: Path, *arguments: str) -> tuple[float, float, str]:
    """Seconds of one `hanse check` by the clock and on the processors, and its last line."""
    hanse = str(Path(sys.executable).parent / "hanse")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run([hanse, "check", *arguments], cwd=root, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout[-2_000:] + done.stderr)
    busy = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, busy, done.stdout.strip().splitlines()[-1]


def main(products: int = 1_000, schemas: int = 2_000) -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory(prefix="hanse-check-") as folder:
        root = Path(folder)
        make_mesh(root / "mesh", products, schemas)
        (root / "empty").mkdir()
        (root / "empty" / "hanse.toml").write_text("", encoding="utf-8")
        run(root / "empty", "--no-cache")
        _show("start-up (empty mesh)", run(root / "empty", "--no-cache"))
        _show("first run", run(root / "mesh"))
        _show("unchanged second run", run(root / "mesh"))
        changed = root / "mesh" / "domains" / "area00" / "products" / "things0" / "projection.sql"
        changed.write_text(changed.read_text(encoding="utf-8").replace("> 0", "> 1"), encoding="utf-8")
        _show("after one changed file", run(root / "mesh"))


def _show(name: str, times: tuple[float, float, str]) -> None:
    seconds, busy, line = times
    print(f"{name:24} {seconds:6.2f} s   {busy:6.2f} s on the processors   {line}")


if __name__ == "__main__":
    main(*([100, 200] if sys.argv[1:] == ["--short"] else map(int, sys.argv[1:])))
