"""A real PostgreSQL for the session, from the machine's own binaries, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from hanse.adapters.kafka import broker
from helpers.kafka_broker import absent

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def session_postgres() -> Iterator[str]:
    """`postgresql://…` of a server that lives as long as the session; HANSE_TEST_POSTGRES names another."""
    if given := os.environ.get("HANSE_TEST_POSTGRES"):
        yield given
        return
    if not BINARIES:
        absent("PostgreSQL's server binaries are not installed")
    folder = Path(tempfile.mkdtemp(prefix="hanse-pg-"))
    folder.chmod(0o700)
    as_postgres = {"user": "postgres"} if os.geteuid() == 0 else {}
    if as_postgres:
        shutil.chown(folder, "postgres")

    def call(*arguments: str) -> None:
        done = subprocess.run(
            [str(BINARIES[0] / arguments[0]), *arguments[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "HOME": str(folder)},
            **as_postgres,  # type: ignore[arg-type]
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    port = broker.free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    call("initdb", "-D", data, "-U", "hanse", "--auth=trust", "--no-sync", "--encoding=UTF8")
    call("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://hanse@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def own_database(address: str) -> Iterator[str]:
    """`postgresql://…` of a new, empty database on that server, dropped at the end."""
    import psycopg

    name = f"hanse_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(address, autocommit=True) as con:
        con.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{address.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(address, autocommit=True) as con:
            con.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
