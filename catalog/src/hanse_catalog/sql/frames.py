"""The frames between the catalog and its workers: length, kind, body."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Any, Final

HEADER: Final = struct.Struct(">IB")
JSON: Final = 1
DATA: Final = 2
MAX_FRAME: Final = 64 << 20
FRAME: Final = 1 << 20
MAX_PARTS: Final = 500


def write_frame(fd: int, kind: int, body: bytes | memoryview) -> None:
    """Write one frame to a blocking file descriptor, whole."""
    view = memoryview(body).cast("B")
    if len(view) < 65_536:
        _write_all(fd, memoryview(HEADER.pack(len(view), kind) + view))
    else:
        _write_all(fd, memoryview(HEADER.pack(len(view), kind)))
        _write_all(fd, view)


def write_pieces(fd: int, kind: int, pieces: Sequence[Any]) -> None:
    """Write buffers as frames of at most a megabyte, without joining them first."""
    waiting: list[memoryview] = []
    size = 0
    for piece in pieces:
        view = memoryview(piece).cast("B")
        while view:
            part, view = view[: FRAME - size], view[FRAME - size :]
            waiting.append(part)
            size += len(part)
            if size == FRAME or len(waiting) >= MAX_PARTS:
                _write_parts(fd, kind, waiting, size)
                waiting, size = [], 0
    if waiting:
        _write_parts(fd, kind, waiting, size)


def _write_parts(fd: int, kind: int, parts: list[memoryview], size: int) -> None:
    parts = [memoryview(HEADER.pack(size, kind)), *parts]
    while parts:
        written = os.writev(fd, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts and written:
            parts[0] = parts[0][written:]


def read_frame(fd: int) -> tuple[int, bytes] | None:
    """The next frame, or None at the end of input. Raises EOFError inside a frame."""
    head = _read_exact(fd, HEADER.size, first=True)
    if head is None:
        return None
    length, kind = HEADER.unpack(head)
    if length > MAX_FRAME:
        raise EOFError("frame too long")
    return kind, _read_exact(fd, length) or b""


def _write_all(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


def _read_exact(fd: int, size: int, *, first: bool = False) -> bytes | None:
    parts: list[bytes] = []
    missing = size
    while missing:
        part = os.read(fd, missing)
        if not part:
            if first and missing == size:
                return None
            raise EOFError("the other side went away inside a frame")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
