"""`hanse up`: the catalog, the keeper and, when asked, Dagster; one at a time on a mesh."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError
from hanse.settings import Settings

DAGSTER_PORT = 3000


@contextmanager
def only_one(settings: Settings) -> Generator[None]:
    """Hold the mesh's lock while serving. Raises ConfigError when another process holds it."""
    path = settings.data / "up.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ConfigError(
                "this mesh is up already",
                where=str(settings.root),
                got=file.read().strip() or "another process",
                fix="stop that process, or open its address",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on http://{settings.host}:{settings.port}")
        file.flush()
        yield


def up(
    mesh: Mesh,
    *,
    dagster: bool = False,
    registry: bool = False,
    commands: bool = False,
    products: bool = True,
    live: bool = False,
) -> None:
    """Serve until interrupted. With Dagster its lag sensors run the products, else the keeper does.

    With `live` the keeper owns every product and publishes what comes at once; Dagster then shows it.
    Raises ConfigError, before anything is started, when the mesh's descriptors cannot be read.
    """
    _ = mesh.model
    signal.signal(signal.SIGTERM, _leave)
    with only_one(mesh.settings), ExitStack() as stack:
        stack.enter_context(
            _process(
                ["-m", "hanse.runtime.keep", *_keeping(dagster=dagster, products=products, live=live)], mesh
            )
        )
        if registry:
            arguments = ["-m", "hanse", "registry", "serve", "--host", mesh.settings.host]
            stack.enter_context(_process(arguments, mesh))
        if commands:
            arguments = ["-m", "hanse", "domain", "serve", "--host", mesh.settings.host]
            stack.enter_context(_process(arguments, mesh))
        if dagster:
            stack.enter_context(_dagster(mesh, live=live))
        serve = import_module("hanse_catalog.server").serve
        serve(mesh, mesh.settings.host, mesh.settings.port)


def _keeping(*, dagster: bool, products: bool, live: bool) -> list[str]:
    if live:
        return ["--live"]
    return ["--relay-only"] if dagster or not products else []


def _leave(*_: object) -> None:
    """SIGTERM ends the process through its context managers, which end its helpers."""
    raise SystemExit(0)


@contextmanager
def _process(arguments: list[str], mesh: Mesh, environ: dict[str, str] | None = None) -> Generator[None]:
    """A helper process that ends with us, politely first."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=mesh.settings.root,
        env={**os.environ, **mesh.settings.environment(), **(environ or {})},
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _dagster(mesh: Mesh, *, live: bool) -> Generator[None]:
    home = dagster_home(mesh.settings)
    environ = {"DAGSTER_HOME": str(home), **({"HANSE_LIVE": "1"} if live else {})}
    subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "info"],
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
    )
    arguments = [
        "-m",
        "dagster",
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        mesh.settings.host,
        "-p",
        str(DAGSTER_PORT),
    ]
    with _process(arguments, mesh, environ):
        yield


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's own storage, made with the mesh's `dagster.yaml` in it."""
    home = settings.data / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    own = settings.root / "dagster.yaml"
    if own.is_file():
        shutil.copyfile(own, home / "dagster.yaml")
    return home


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def set_it(*_: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, set_it)
    return stop
