"""Prewarmed, confined worker processes, and their replacement when one is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hanse.errors import ConfigError, HanseError

from . import frames
from .fair import FairQueue


class WorkerDied(HanseError):
    """A worker ended in the middle of a query."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Bounds of every worker. Sizes are bytes. `require_sandbox` refuses to serve without confinement."""

    size: int = 2
    memory_limit: str = "512MB"
    address_bytes: int = 1536 << 20
    file_bytes: int = 2 << 30
    threads: int = 2
    require_sandbox: bool = True

    @classmethod
    def from_environment(cls) -> PoolSettings:
        """`HANSE_QUERY_WORKERS` sets the size; `HANSE_QUERY_SANDBOX=off` serves without confinement."""
        size = os.environ.get("HANSE_QUERY_WORKERS", "2")
        if not size.isdigit() or not 1 <= int(size) <= 64:
            raise ConfigError("HANSE_QUERY_WORKERS is not a number", expected="1 to 64", got=size)
        sandbox = os.environ.get("HANSE_QUERY_SANDBOX", "required")
        if sandbox not in ("required", "off"):
            raise ConfigError("unknown HANSE_QUERY_SANDBOX", expected="required or off", got=sandbox)
        return cls(size=int(size), require_sandbox=sandbox == "required")


class WorkerHandle:
    """One worker process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process, temp: str) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._temp = temp
        self.confinement: dict[str, Any] = {}
        self.killed: str | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None and self.killed is None

    async def send(self, message: dict[str, Any]) -> None:
        """Send one request. Raises WorkerDied."""
        body = orjson.dumps(message)
        try:
            self._stdin.write(frames.HEADER.pack(len(body), frames.JSON) + body)
            await self._stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._death() from error

    async def receive(self) -> tuple[int, bytes]:
        """The next frame. Raises WorkerDied when the process ended."""
        try:
            length, kind = frames.HEADER.unpack(await self._stdout.readexactly(frames.HEADER.size))
            return kind, await self._stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionResetError) as error:
            raise self._death() from error

    async def receive_json(self) -> dict[str, Any]:
        """The next frame, which must be an answer and not data. Raises WorkerDied."""
        kind, body = await self.receive()
        if kind != frames.JSON:
            raise WorkerDied("the query worker spoke out of turn")
        return orjson.loads(body)

    def _death(self) -> WorkerDied:
        return WorkerDied(self.killed or "the query's worker process ended unexpectedly")

    def kill(self, reason: str) -> None:
        """End the process now; whoever waits for it gets WorkerDied with this reason."""
        if self.killed is None:
            self.killed = reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End the process, wait for it, and remove its temporary folder."""
        self.kill("the worker was stopped")
        await self._process.wait()
        self._stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self._stdin.wait_closed()
        # the transport closes its pipes when the process has ended and its output is drained
        while not self._stdout.at_eof():
            await self._stdout.read(1 << 20)
        shutil.rmtree(self._temp, ignore_errors=True)


async def start_worker(data_root: Path, settings: PoolSettings) -> WorkerHandle:
    """Start a worker and wait until it is confined. Raises ConfigError when it cannot be."""
    temp = tempfile.mkdtemp(prefix="hanse-query-")
    config = {
        "data": str(data_root),
        "temp": temp,
        "memory_limit": settings.memory_limit,
        "address_bytes": settings.address_bytes,
        "file_bytes": settings.file_bytes,
        "threads": settings.threads,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "hanse_catalog.sql.worker",
        json.dumps(config),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": temp, "TMPDIR": temp},
        cwd=temp,
        limit=4 << 20,
        start_new_session=True,
    )
    worker = WorkerHandle(process, temp)
    try:
        hello = await asyncio.wait_for(worker.receive_json(), 60)
    except BaseException:
        await worker.close()
        raise
    worker.confinement = hello["confinement"]
    try:
        require(worker, settings)
    except ConfigError:
        await worker.close()
        raise
    return worker


def require(worker: WorkerHandle, settings: PoolSettings) -> None:
    """Raises ConfigError when the worker is not shut in and the settings ask for it."""
    if settings.require_sandbox and not worker.confinement["complete"]:
        raise ConfigError(
            "query workers cannot be shut in on this machine",
            expected="Linux with Landlock (5.13 or newer) and seccomp",
            got=json.dumps(worker.confinement),
            fix="set HANSE_QUERY_SANDBOX=off to let queries run without it, where you trust every reader",
        )


class Pool:
    """A fixed number of workers, each for one query at a time."""

    def __init__(self, data_root: Path, settings: PoolSettings | None = None) -> None:
        self.settings = settings or PoolSettings()
        self._data_root = data_root
        self._idle: FairQueue[WorkerHandle] = FairQueue()
        self._all: set[WorkerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._stop = asyncio.Event()
        self.problem: HanseError | None = None
        self.replaced = 0

    async def start(self) -> None:
        """Start all workers at once. Raises ConfigError when they cannot be shut in."""
        self._data_root.mkdir(parents=True, exist_ok=True)
        await asyncio.gather(*(self._add() for _ in range(self.settings.size)))

    async def _add(self) -> None:
        worker = await start_worker(self._data_root, self.settings)
        self._all.add(worker)
        self._idle.put(worker)

    async def acquire(self, wait_seconds: float, person: str = "") -> WorkerHandle:
        """An idle worker; who waits is served by person in turn.

        Raises TimeoutError when none came free in time, TooManyWaiting when the person waits too often.
        """
        async with asyncio.timeout(wait_seconds):
            while True:
                worker = await self._idle.get(person)
                if worker.alive:
                    return worker
                self._replace(worker)

    def release(self, worker: WorkerHandle, *, healthy: bool) -> None:
        """Give a worker back; one that is not healthy is ended and replaced."""
        if healthy and worker.alive and not self._closing:
            self._idle.put(worker)
        else:
            worker.kill("the worker was replaced")
            self._replace(worker)

    def _replace(self, worker: WorkerHandle) -> None:
        self._all.discard(worker)
        self.replaced += 1
        task = asyncio.get_running_loop().create_task(self._renew(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self, worker: WorkerHandle) -> None:
        await worker.close()
        delay = 0.1
        while not self._closing:
            try:
                await self._add()
                self.problem = None
                return
            except (HanseError, OSError, TimeoutError) as error:
                self.problem = error if isinstance(error, HanseError) else WorkerDied(str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), delay)
                delay = min(delay * 2, 10)

    def status(self) -> dict[str, Any]:
        """For the health answer."""
        return {
            "workers": len(self._all),
            "idle": len(self._idle),
            "waiting": self._idle.waiting,
            "replaced": self.replaced,
            "confinement": next((worker.confinement for worker in self._all), None),
            "problem": self.problem.what if self.problem else None,
        }

    async def close(self) -> None:
        """End every worker."""
        self._closing = True
        self._stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._all))
        self._all.clear()
