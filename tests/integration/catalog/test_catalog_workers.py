"""Workers that die, and readers that go: the catalog stays up, and a cut answer never looks whole."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.sql.service import Answer, Busy, Limits, Query, QueryFailed, QueryService
from helpers.catalog_mesh import SampleMesh

ENDLESS = "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r"
LARGE = "SELECT i, 'row number ' || i AS text FROM range(3000000) t(i)"


@pytest.fixture
def mesh(tmp_path: Path) -> SampleMesh:
    return SampleMesh(tmp_path)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def one(service: QueryService) -> Any:
    return orjson.loads(await (await service.open(Query("SELECT 1 AS one"))).read())["rows"]


async def settled(service: QueryService, workers: int) -> None:
    async with asyncio.timeout(30):
        while service.pool.status()["idle"] < workers:
            await asyncio.sleep(0.05)


def test_a_killed_worker_is_replaced_and_its_reader_told(mesh: SampleMesh, runner: asyncio.Runner) -> None:
    async def main() -> None:
        service = QueryService(mesh, PoolSettings(size=1), Limits(seconds=60))
        await service.start()
        try:
            worker = service.pool._idle._free[0]
            task = asyncio.create_task(service.open(Query(ENDLESS)))
            await asyncio.sleep(0.5)
            os.kill(worker.pid, signal.SIGKILL)
            with pytest.raises(QueryFailed, match="ended its worker"):
                await task
            await settled(service, 1)
            assert await one(service) == [{"one": 1}]
        finally:
            await service.close()

    runner.run(main())


def test_a_worker_killed_while_idle_is_not_handed_out(mesh: SampleMesh, runner: asyncio.Runner) -> None:
    async def main() -> None:
        service = QueryService(mesh, PoolSettings(size=1))
        await service.start()
        try:
            os.kill(service.pool._idle._free[0].pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            assert await one(service) == [{"one": 1}]
        finally:
            await service.close()

    runner.run(main())


def _ends(stream: bytes) -> bool:
    """Whether an Arrow stream has the batch that carries its row count."""
    notes: dict[bytes, bytes] = {}
    try:
        for item in pa.ipc.open_stream(stream).iter_batches_with_custom_metadata():
            notes = dict(item.custom_metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False
    return b"hanse.rows" in notes


@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
def test_a_cut_answer_never_looks_whole(mesh: SampleMesh, runner: asyncio.Runner, form: str) -> None:
    async def main() -> None:
        service = QueryService(mesh, PoolSettings(size=1))
        await service.start()
        try:
            worker = service.pool._idle._free[0]
            answer: Answer = await service.open(
                Query(LARGE, format=form, limit=100_000 if form == "json" else None)
            )
            assert answer.rows is None
            got = b""
            with pytest.raises(QueryFailed):
                async for chunk in answer:
                    got += chunk
                    os.kill(worker.pid, signal.SIGKILL)
            if form == "json":
                with pytest.raises(orjson.JSONDecodeError):
                    orjson.loads(got)
            elif form == "arrow":
                assert not _ends(got)
        finally:
            await service.close()

    runner.run(main())


def test_a_reader_that_goes_ends_the_query(mesh: SampleMesh, runner: asyncio.Runner) -> None:
    async def main() -> None:
        service = QueryService(mesh, PoolSettings(size=1), Limits(seconds=60, wait_seconds=30))
        await service.start()
        try:
            task = asyncio.create_task(service.open(Query(ENDLESS)))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await one(service) == [{"one": 1}]
            answer = await service.open(Query(LARGE, format="csv"))
            async for _ in answer:
                break
            await answer.aclose()
            assert await one(service) == [{"one": 1}]
        finally:
            await service.close()

    runner.run(main())


def test_too_many_at_once_wait_and_are_then_told(mesh: SampleMesh, runner: asyncio.Runner) -> None:
    async def main() -> None:
        service = QueryService(mesh, PoolSettings(size=1), Limits(seconds=30, wait_seconds=0.3))
        await service.start()
        try:
            task = asyncio.create_task(service.open(Query(ENDLESS)))
            await asyncio.sleep(0.1)
            with pytest.raises(Busy):
                await one(service)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            await service.close()

    runner.run(main())


def test_a_worker_reads_and_writes_nothing_else(mesh: SampleMesh, tmp_path: Path) -> None:
    """The confinement itself, without the allow-list: a process under it tries what an attacker would."""
    import subprocess
    import sys

    temp = tmp_path / "temp"
    temp.mkdir()
    code = f"""
import os, socket, sys
from hanse_catalog.sql import sandbox
from pathlib import Path
held = sandbox.confine(read=[*sandbox.library_paths(), {str(mesh.data_root)!r}], write=[{str(temp)!r}])
assert held.complete, held
def denied(what):
    try:
        what()
    except PermissionError:
        return True
    raise SystemExit('allowed')
parent = os.getppid()
denied(lambda: open('/etc/passwd'))
denied(lambda: open('/proc/%d/environ' % parent))
denied(lambda: Path({str(mesh.data_root)!r}, 'x').write_text('x'))
denied(lambda: socket.socket())
denied(lambda: os.fork())
denied(lambda: os.execv('/bin/true', ['true']))
denied(lambda: os.kill(parent, 0))
denied(lambda: os.symlink('/etc/passwd', '/tmp/hanse-link'))
assert any(open(f, 'rb').read(4) == b'PAR1' for f in Path({str(mesh.data_root)!r}).iterdir())
Path({str(temp)!r}, 'ok').write_text('ok')
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
