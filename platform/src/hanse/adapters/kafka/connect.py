"""A Kafka Connect worker from Maven Central's jars, for development and tests: standalone, one process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hanse.adapters.kafka import broker, maven
from hanse.errors import ConfigError

_ARTIFACTS: tuple[maven.Artifact, ...] = (
    *(("org.apache.kafka", f"connect-{part}", broker.VERSION) for part in ("runtime", "json", "transforms")),
    ("org.apache.kafka", "connect-file", broker.VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
)
_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


def jars(more: Sequence[str] = ()) -> Path:
    """The folder of the worker's jars; `more` are connectors as group:artifact:version. Raises ConfigError."""
    wanted = [_artifact(text) for text in more]
    name = f"connect-{broker.VERSION}"
    if wanted:
        name += "-" + hashlib.sha256("\n".join(sorted(more)).encode()).hexdigest()[:12]
    return maven.jars(name, [*_ARTIFACTS, *wanted])


def _artifact(text: str) -> maven.Artifact:
    parts = text.split(":")
    if len(parts) != 3 or not all(part and all(c.isalnum() or c in "._-" for c in part) for part in parts):
        raise ConfigError("this names no artifact", expected="group:artifact:version", got=text[:200])
    return parts[0], parts[1], parts[2]


def command(servers: str, folder: Path, connectors: Sequence[Path], more: Sequence[str] = ()) -> list[str]:
    """What starts a worker for the connectors; its offsets and properties are kept in `folder`.

    Keys and values are JSON with their schemas, unless a connector says otherwise. Raises ConfigError for a
    connector's file that is not there, for Java or jars that are missing.
    """
    for path in connectors:
        if not path.is_file():
            raise ConfigError("there is no such file of a connector", where=str(path))
    binary, lib = broker.java(), jars(more)
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "bootstrap.servers": servers,
        "key.converter": _CONVERTER,
        "value.converter": _CONVERTER,
        "offset.storage.file.filename": folder / "offsets",
        "offset.flush.interval.ms": 1_000,
        "listeners": f"http://127.0.0.1:{broker.free_port()}",
        "plugin.path": lib,
        "plugin.discovery": "service_load",
        "topic.creation.enable": "true",
    }
    worker = folder / "worker.properties"
    worker.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    tuning = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]
    tuning.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    main = "org.apache.kafka.connect.cli.ConnectStandalone"
    return [str(binary), *tuning, "-cp", f"{lib}/*", main, str(worker), *map(str, connectors)]
