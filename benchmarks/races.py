"""From Kafka to a committed one-minute window of count and sum by key: Hanse beside others, on one topic.

    python benchmarks/races.py                          # 2,000,000 records; Hanse, raw consumption
    python benchmarks/races.py --short                  # 100,000, for CI
    python benchmarks/races.py --peer flink --peer all  # others too, each installed with pinned versions

Every contestant is a process of its own (`benchmarks/peers`); what it counted must be what was produced. Time
runs from the start of its job to its last commit, without starting the interpreter or the JVM; processor
seconds and peak memory are those of the whole process. Raw consumption adds up the bytes of the values and
decodes nothing: `raw confluent` by a Python loop over consume(10_000), `raw librdkafka` by a loop in C. Peers
need `uv`, Flink and Spark also Java and Maven; they go into `cache_folder()/races`, never into Hanse's
environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from confluent_kafka import Producer
from log_kafka import a_broker
from peers.shared import FETCH, PARTITIONS

from hanse.adapters.kafka import broker, maven
from hanse.adapters.kafka.log import KafkaLog
from hanse.adapters.kafka.settings import kafka_settings
from hanse.errors import ConfigError
from hanse.ports.event_log import TopicSpec

PEERS = Path(__file__).parent / "peers"
LIMIT_S = 900
STATES = [f"S{n:02d}" for n in range(27)]
START_MS = 1_767_225_600_000
SPARK_JARS = (("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.0.0"),)
FLINK_JARS = (("org.apache.flink", "flink-sql-connector-kafka", "4.0.1-2.0"),)


@dataclass
class Measured:
    """One contestant's figures; `problem` when it did not finish."""

    name: str
    rate: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_s: float = 0.0
    peak_mb: int = 0
    problem: str = ""


def fill(address: str, topic: str, count: int) -> int:
    """Produce the orders, a key always into the same partition, time rising; the sum of their items."""
    producer = Producer(
        {"bootstrap.servers": address, "linger.ms": 20, "batch.size": 1_000_000, "compression.type": "lz4"}
    )
    total = 0
    for n in range(count):
        state = n * 7919 % len(STATES)
        items = n % 9 + 1
        total += items
        millis = n * 7_200_000 // count
        at = datetime.fromtimestamp((START_MS + millis) / 1_000, UTC).isoformat(timespec="milliseconds")[:-6]
        value = (
            f'{{"state":"{STATES[state]}","order_id":"order-{n:08d}","items":{items},'
            f'"amount":{n % 997}.25,"placed_at":"{at}Z"}}'
        )
        while True:
            try:
                producer.produce(
                    topic, value, STATES[state], partition=state % PARTITIONS,
                    timestamp=START_MS + millis,
                )  # fmt: skip
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    producer.close()
    return total


def run(name: str, command: list[str], count: int, items: int | None) -> Measured:
    """Run one contestant; `items` is what its windows must add up to, None for raw consumption."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
        status, used = _wait(process)
        out.seek(0)
        err.seek(0)
        results = [line for line in out.read().splitlines() if line.startswith("RESULT ")]
        if status != 0 or not results:
            tail = err.read().strip().splitlines()[-1:] or ["no result"]
            return Measured(name, problem=f"ended with {status}: {tail[0][:120]}")
    found = json.loads(results[-1].removeprefix("RESULT "))
    made = Measured(name, count / found["seconds"], cpu_s=used.cpu_s, peak_mb=used.peak_mb)
    if found["batches"]:
        made.p50_ms, made.p99_ms = (np.percentile(found["batches"], [50, 99]) * 1_000).tolist()
    if found["events"] != count or items not in (None, found["items"]):
        made.problem = f"counted {found['events']:,} events and {found['items']:,} items"
    return made


class _Used:
    """Processor seconds and peak memory of a session's processes, seen ten times a second.

    What the system reports for an ended child would lack the JVM that a Python process leaves to itself,
    and its peak would not be below that of the process that started it.
    """

    def __init__(self, session: int) -> None:
        self.session = session
        self.cpu_s = 0.0
        self.peak_mb = 0
        self._seen: dict[str, float] = {}

    def look(self) -> None:
        """Add up the processes that there are."""
        pages = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self.session:
                self._seen[folder.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                pages += int(fields[21])
        self.cpu_s = sum(self._seen.values())
        self.peak_mb = max(self.peak_mb, pages * os.sysconf("SC_PAGE_SIZE") >> 20)


def _wait(process: subprocess.Popen[str]) -> tuple[int, _Used]:
    """The exit status, and what the process and those it started used; killed at the limit."""
    deadline = time.monotonic() + LIMIT_S
    used = _Used(process.pid)
    while True:
        used.look()
        pid, status, own = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            used.cpu_s = max(used.cpu_s, own.ru_utime + own.ru_stime)
            return process.returncode, used
        if time.monotonic() > deadline:
            os.killpg(process.pid, 9)
        time.sleep(0.1)


def librdkafka(folder: Path) -> Path:
    """The C program, compiled against the library that the Python client brings. Raises ConfigError."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    import confluent_kafka

    place = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    libraries = sorted(place.glob("librdkafka-*.so*"))
    if compiler is None or not libraries:
        raise ConfigError("no C compiler" if compiler is None else "the client brings no library to link to")
    program = folder / "raw_librdkafka"
    subprocess.run(
        [compiler, "-O2", "-w", "-o", str(program), str(PEERS / "raw_librdkafka.c"), str(libraries[0]),
         f"-Wl,-rpath,{place}", "-Wl,--allow-shlib-undefined"],
        check=True, capture_output=True,
    )  # fmt: skip
    return program


def environment(name: str) -> Path:
    """The Python of a peer's own environment, made the first time. Raises ConfigError."""
    uv = shutil.which("uv")
    if uv is None:
        raise ConfigError("uv, which installs the peers, is not here")
    pinned = PEERS / f"{name}.txt"
    folder = broker.cache_folder() / "races" / name
    mark = folder / pinned.name
    if not mark.is_file() or mark.read_text() != pinned.read_text():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        for command in (
            ["venv", "-q", "--clear", "--python", version, str(folder)],
            ["pip", "install", "-q", "--python", str(folder / "bin" / "python"), "-r", str(pinned)],
        ):
            done = subprocess.run([uv, *command], capture_output=True, text=True)
            if done.returncode:
                raise ConfigError(f"{name} cannot be installed", got=done.stderr.strip()[-200:])
        shutil.copy(pinned, mark)
    return folder / "bin" / "python"


def peer(name: str) -> list[str]:
    """The command of a peer, without the race's arguments, and what comes behind them."""
    python = environment(name)
    return [str(python), str(PEERS / f"with_{name}.py")]


def behind(name: str) -> list[str]:
    """Arguments behind the race's."""
    jars = {"spark": SPARK_JARS, "flink": FLINK_JARS}.get(name)
    return [str(maven.jars(f"race-{name}", jars))] if jars else []


def contestants(
    address: str, topic: str, count: int, chosen: list[str], folder: Path
) -> dict[str, Callable[[], list[str]]]:
    """Commands by name; one that cannot be made raises ConfigError when it is asked for."""
    race = [address, topic, str(count)]
    ours = [sys.executable, str(PEERS / "with_hanse.py"), *race]
    settings = [f"{k}={v}" for k, v in FETCH.items()]
    made: dict[str, Callable[[], list[str]]] = {
        "raw confluent": lambda: [sys.executable, str(PEERS / "raw_confluent.py"), *race],
        "raw librdkafka": lambda: [str(librdkafka(folder)), *race, str(PARTITIONS), *settings],
        "Hanse, confluent reader": lambda: [*ours, "confluent"],
        "Hanse, columnar reader": lambda: [*ours, "columnar"],
    }
    for name in chosen:
        made[name] = lambda name=name: [*peer(name), *race, *behind(name)]
    return made


def show(lines: list[Measured]) -> None:
    """The table."""
    rates = {m.name: m.rate for m in lines}
    raw, c = rates.get("raw confluent", 0.0), rates.get("raw librdkafka", 0.0)
    print(
        f"{'':24} {'events/s':>10} {'of raw':>7} {'of C':>6} {'p50 ms':>7} {'p99 ms':>7} {'CPU s':>6} {'MB':>6}"
    )
    for m in lines:
        if not m.rate:
            print(f"{m.name:24} {m.problem}")
            continue
        latency = [f"{x:.0f}" if x is not None else "-" for x in (m.p50_ms, m.p99_ms)]
        ratios = [f"{m.rate / x:.2f}" if x else "-" for x in (raw, c)]
        print(
            f"{m.name:24} {m.rate:>10,.0f} {ratios[0]:>7} {ratios[1]:>6} {latency[0]:>7} {latency[1]:>7} "
            f"{m.cpu_s:>6.1f} {m.peak_mb:>6} {m.problem}"
        )


def main() -> int:
    """Run the race; 0 without a broker, saying so; 1 when Hanse or raw consumption counted wrongly."""
    names = sorted(p.stem for p in PEERS.glob("*.txt"))
    parser = argparse.ArgumentParser(description="Hanse beside others, from Kafka to a committed window.")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--broker", help="host:port of a broker to use")
    parser.add_argument("--count", type=int, help="records, 2,000,000 without it")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many is shown")
    parser.add_argument("--peer", action="append", default=[], choices=[*names, "all"])
    chosen = parser.parse_args()
    count = chosen.count or (100_000 if chosen.short else 2_000_000)
    try:
        if not chosen.broker:
            broker.java()
            broker.jars()
    except ConfigError as error:
        print(f"skipped: {error}")
        return 0
    with a_broker(chosen.broker) as address, tempfile.TemporaryDirectory() as folder:
        log = KafkaLog(kafka_settings(f"kafka://{address}"))
        topic = f"race.t{uuid.uuid4().hex[:8]}"
        log.create_topic(TopicSpec(topic, PARTITIONS))
        items = fill(address, topic, count)
        print(f"{count:,} records of JSON, {PARTITIONS} partitions, {len(STATES)} keys, 120 minutes")
        lines: list[Measured] = []
        others = names if "all" in chosen.peer else chosen.peer
        for name, command in contestants(address, topic, count, others, Path(folder)).items():
            try:
                ready = command()
            except ConfigError as error:
                lines.append(Measured(name, problem=f"skipped: {error}"))
                continue
            wanted = None if name.startswith("raw") else items
            rounds = [run(name, ready, count, wanted) for _ in range(chosen.rounds)]
            lines.append(max(rounds, key=lambda m: m.rate))
            print(f"  {name}: {lines[-1].rate:,.0f}/s {lines[-1].problem}", flush=True)
        show(lines)
        log.delete_topic(topic)
        log.close()
    return int(any(m.problem and not m.problem.startswith("skipped") for m in lines[:4]))


if __name__ == "__main__":
    sys.exit(main())
