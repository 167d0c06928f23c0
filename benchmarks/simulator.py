"""The simulator at a million events: commands of all domains, their relays, and the memory that it takes.

`python benchmarks/simulator.py [--short]`; the long form plays some 950 days. Memory is bounded when what is
resident does not grow from the second quarter to the last.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

from hanse.bootstrap import Mesh
from hanse.domain.demo import Timed, run, simulated_streams
from hanse.domain.service import Accepted, Verdict
from hanse.runtime.reconcile import Recorder
from hanse.runtime.relays import relay_all

ROOT = Path(__file__).resolve().parents[1]


def resident_mb() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def mesh_in(folder: Path) -> Mesh:
    """A mesh with the reference domains, and no products."""
    (folder / "hanse.toml").write_text("")
    left_out = shutil.ignore_patterns("products", "src", "__pycache__")
    shutil.copytree(ROOT / "domains", folder / "domains", ignore=left_out)
    return Mesh.open(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    days = 12 if parser.parse_args().short else 950
    with tempfile.TemporaryDirectory() as name, mesh_in(Path(name)) as mesh, Recorder() as recorder:
        handled = 0
        quarter, marks = days * 1_050 // 4, list[float]()

        def verdict(domain: str, timed: Timed, given: Verdict) -> None:
            nonlocal handled
            handled += 1
            recorder.add(domain, timed, accepted=isinstance(given, Accepted))
            if handled % quarter == 0:
                marks.append(resident_mb())
                print(f"{handled:,} commands: {marks[-1]:,.0f} MB resident", flush=True)

        began, used = time.perf_counter(), time.process_time()
        report = run(mesh, simulated_streams(mesh, seed=7, days=days), on_verdict=verdict)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        accepted = sum(sum(domain.accepted.values()) for domain in report.domains.values())
        print(f"{days} days: {handled:,} commands, {accepted:,} accepted, balanced: {report.balanced}")
        print(
            f"  {handled / seconds:,.0f}/s by the clock, {handled / processor:,.0f}/s by the processor",
            flush=True,
        )
        began, used = time.perf_counter(), time.process_time()
        events = relay_all(mesh)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        print(
            f"relayed: {events:,} events, {events / seconds:,.0f}/s, {events / processor:,.0f}/s by the processor"
        )
        print(f"after relaying: {resident_mb():,.0f} MB resident")
        if len(marks) >= 3:
            print(f"ratio of the last quarter to the second: {marks[-1] / marks[1]:.2f}")


if __name__ == "__main__":
    main()
