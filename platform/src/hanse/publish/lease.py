"""The lease on a product: one owner at a time, and an epoch that rises with each.

The lock is `flock` on a file, so it ends with its process. A holder that hangs can be displaced with
`take_over`; the epoch it carries is then behind, and every commit that asserts it fails (StaleWriter).
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from hanse.errors import LeaseHeld, StaleWriter


class Lease:
    """A held lease. Use it as a context manager, or call `release`."""

    def __init__(self, product: str, lock: IO[str], epoch_path: Path, epoch: int) -> None:
        self.product = product
        self.epoch = epoch
        self._lock: IO[str] | None = lock
        self._epoch_path = epoch_path

    @classmethod
    def acquire(cls, folder: Path, product: str, *, take_over: bool = False) -> Lease:
        """Become the owner of `product`. Raises LeaseHeld, naming the process that owns it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{product}.lock"
        if take_over:
            path.unlink(missing_ok=True)
        lock = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(lock)
            lock.close()
            raise LeaseHeld(
                f"another process owns {product}",
                got=holder,
                fix="wait for it, or ask it to publish; `take_over` only when it hangs",
            ) from None
        epoch_path = folder / f"{product}.epoch"
        epoch = _epoch(epoch_path) + 1
        _write(epoch_path, epoch)
        lock.seek(0)
        lock.truncate()
        json.dump({"pid": os.getpid(), "epoch": epoch}, lock)
        lock.flush()
        return cls(product, lock, epoch_path, epoch)

    def check(self) -> None:
        """Raises StaleWriter when the lease was released or another owner came after."""
        if self._lock is None or _epoch(self._epoch_path) != self.epoch:
            raise StaleWriter(
                f"this process no longer owns {self.product}",
                expected=f"epoch {self.epoch}",
                got="released" if self._lock is None else f"epoch {_epoch(self._epoch_path)}",
            )

    def raise_to(self, epoch: int) -> None:
        """Carry a higher epoch: the counter was lost, and a table has seen later owners. Raises StaleWriter."""
        self.check()
        _write(self._epoch_path, epoch)
        self.epoch = epoch

    def release(self) -> None:
        """Let another process become the owner. Does nothing the second time."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    text = lock.read(200)
    return f"held by {text}" if text else "held"


def _epoch(path: Path) -> int:
    text = path.read_text("ascii") if path.exists() else "0"
    return int(text or "0")


def _write(path: Path, epoch: int) -> None:
    temporary = path.with_suffix(".epoch.new")
    with temporary.open("w", encoding="ascii") as file:
        file.write(str(epoch))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
