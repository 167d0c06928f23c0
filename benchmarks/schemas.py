"""Verdicts, registrations and reads a second of the schema registry.

    python benchmarks/schemas.py [--seconds 3] [--short] [--json]

Pairs are the cases of the tests; every pair is parsed and compared anew. Registrations go to a SQLite file
with synchronous=FULL. Peers, in the same run: the `avro` package's checker on the Avro pairs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hanse.registry.embedded import EmbeddedRegistry
from hanse.schemas.verdict import verdict_of_line

CASES = Path(__file__).parents[1] / "tests" / "unit" / "schemas" / "cases"


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units of work a second, over at least `seconds`."""
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        done += work()
    return done / passed


def verdict_rate(name: str, seconds: float) -> float:
    """Verdicts a second on the cases of a format."""
    lines = (CASES / f"own-{name}.jsonl").read_bytes().splitlines()

    def work() -> int:
        for line in lines:
            verdict_of_line(line)
        return len(lines)

    return rate(work, seconds)


def avro_package_rate(seconds: float) -> float:
    """The same Avro pairs under the avro package's checker."""
    from avro.compatibility import ReaderWriterCompatibilityChecker
    from avro.errors import AvroException
    from avro.schema import parse

    warnings.simplefilter("ignore")
    pairs = [json.loads(line) for line in (CASES / "own-avro.jsonl").read_text().splitlines()]

    def work() -> int:
        for pair in pairs:
            try:
                sides = parse(pair["new"]), parse(pair["old"])
                reader, writer = sides if pair["mode"] == "BACKWARD" else sides[::-1]
                ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
            except AvroException:
                continue
        return len(pairs)

    return rate(work, seconds)


def registry_rates(seconds: float) -> dict[str, float]:
    """New versions, repeated registrations and reads by id a second, one process."""
    with tempfile.TemporaryDirectory() as folder:
        registry = EmbeddedRegistry(Path(folder) / "registry.db")
        counter = iter(range(10**9))

        def schema(extra: int) -> str:
            fields: list[dict[str, Any]] = [{"name": f"f{i}", "type": "string"} for i in range(7)]
            fields.append({"name": f"x{extra}", "type": ["null", "long"], "default": None})
            return json.dumps({"type": "record", "name": "Event", "fields": fields})

        def new() -> int:
            i = next(counter)
            registry.register(f"topic{i % 50}-value", schema(i))
            return 1

        def again() -> int:
            registry.register("topic0-value", schema(0))
            return 1

        def read() -> int:
            registry.by_id(1)
            return 1

        found = {
            "registrations": rate(new, seconds),
            "repeated": rate(again, seconds),
            "by_id": rate(read, seconds),
        }
        registry.close()
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--short", action="store_true", help="a fraction of a second each")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds = 0.3 if arguments.short else arguments.seconds
    found = {f"verdicts_{n}": verdict_rate(n, seconds) for n in ("avro", "json", "protobuf")}
    found["avro_package"] = avro_package_rate(seconds)
    found |= registry_rates(seconds)
    if arguments.json:
        print(json.dumps({name: round(value) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:>20} {value:>12,.0f}/s")


if __name__ == "__main__":
    main()
