"""Jars from Maven Central, kept in a folder of the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hanse.errors import ConfigError

Artifact = tuple[str, str, str]
"""Group, name and version."""


def cache_folder() -> Path:
    """Where jars are kept: HANSE_CACHE, else `hanse` in XDG_CACHE_HOME or ~/.cache."""
    if chosen := os.environ.get("HANSE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hanse"


def jars(name: str, artifacts: Sequence[Artifact]) -> Path:
    """The folder `name` with the artifacts and what they need, fetched the first time. Raises ConfigError."""
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder, artifacts)
    return folder


def _fetch(folder: Path, artifacts: Sequence[Artifact]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigError(
            "jars are not here and Maven, which brings them, is not installed",
            where=str(folder),
            expected=", ".join(":".join(artifact) for artifact in artifacts),
            fix="install Maven, or copy the jars into that folder",
        )
    dependencies = "".join(
        f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
        for g, a, v in artifacts
    )
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>hanse</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        (Path(temporary) / "pom.xml").write_text(pom, encoding="utf-8")
        lib = Path(temporary) / "lib"
        done = subprocess.run(
            [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={lib}"],
            cwd=temporary,
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if done.returncode != 0 or not any(lib.glob("*.jar")):
            raise ConfigError(
                "Maven could not bring the jars",
                got=(done.stdout + done.stderr).strip()[-2_000:],
                fix="see whether Maven Central, or a mirror in ~/.m2/settings.xml, can be reached",
            )
        lib.rename(folder)
