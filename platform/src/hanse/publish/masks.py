"""What readers see of personal data: a keyed hash or nothing; and the clear values for the restricted table.

The state holds a value as the stream has it, which is ciphertext where the event's schema says so. It is
opened here, while files are written, with the key of the person whom another column names. Of a person who
was forgotten nothing is left on either side. The hash is HMAC-SHA256 under the mesh's own mask key, so equal
values stay equal within a mesh, and nobody without the key can try values out.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hanse.descriptors.types import physical_type
from hanse.domain.subjects import PREFIX, SubjectKeys
from hanse.model.mesh import Column, Contract
from hanse.quoting import quote

if TYPE_CHECKING:
    import duckdb

HASH, CLEAR = "hanse_mask", "hanse_clear"
_KEY_BYTES = 32
_HEX_DIGITS = 32


def mask_key(path: Path) -> bytes:
    """The mesh's mask key, made when it is not there; readable by its owner only."""
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        finally:
            temporary.unlink()
    return path.read_bytes()


def install(con: duckdb.DuckDBPyConnection, keys: SubjectKeys, secret: bytes) -> None:
    """Teach a connection the two functions, once."""
    known = "SELECT count(*) FROM duckdb_functions() WHERE function_name = ?"
    if con.execute(known, [HASH]).fetchall() != [(0,)]:
        return

    def hashed(text: str) -> str:
        if text.startswith(PREFIX):
            return text  # whose it is is not said, so it stays ciphertext
        return hmac.digest(secret, text.encode(), "sha256").hex()[:_HEX_DIGITS]

    engine: Any = con
    for name, shown in ((HASH, hashed), (CLEAR, str)):
        engine.create_function(
            name,
            _function(keys, shown),
            ["VARCHAR", "VARCHAR"],
            "VARCHAR",
            type="arrow",
            null_handling="special",
        )


def _function(
    keys: SubjectKeys, shown: Callable[[str], str]
) -> Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.Array]:
    def apply(subjects: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Array:
        pairs = zip(subjects.to_pylist(), values.to_pylist(), strict=True)
        opened = [_opened(keys, subject, value) for subject, value in pairs]
        return pa.array([None if text is None else shown(text) for text in opened], pa.string())

    return apply


def _opened(keys: SubjectKeys, subject: str | None, value: str | None) -> str | None:
    """The clear value; None for a forgotten person, the ciphertext when whose it is is not known."""
    if value is None or subject is None:
        return value
    if keys.forgotten(subject):
        return None
    return keys.decrypt(subject, value) if value.startswith(PREFIX) else value


def public(contract: Contract) -> dict[str, str]:
    """For each masked column, the SQL of what readers see."""
    return {c.name: _call(HASH, c) if c.mask == "hash" else "NULL" for c in contract.masked}


def clear(contract: Contract) -> dict[str, str]:
    """For each masked column, the SQL of its clear value."""
    texts = {c.name for c in contract.masked if physical_type(c.physical_type).kind == "STRING"}
    return {c.name: _call(CLEAR, c) if c.name in texts else quote(c.name) for c in contract.masked}


def _call(function: str, column: Column) -> str:
    subject = f"CAST({quote(column.subject)} AS VARCHAR)" if column.subject else "NULL::VARCHAR"
    return f"{function}({subject}, {quote(column.name)})"
