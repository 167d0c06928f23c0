"""A queue that serves persons in turn: who waits with a hundred requests waits beside who waits with one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")
MAX_WAITING = 100


class TooManyWaiting(Exception):
    """The person waits with as many requests as one may."""


class FairQueue(Generic[T]):
    """Hands free things to whoever waits, one person after the other."""

    def __init__(self) -> None:
        self._free: deque[T] = deque()
        self._waiting: dict[str, deque[asyncio.Future[T]]] = {}

    def __len__(self) -> int:
        """How many things are free."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._waiting.values()))

    def put(self, item: T) -> None:
        """Give a thing back: to the next person, or to the free ones."""
        while self._waiting:
            person, requests = next(iter(self._waiting.items()))
            del self._waiting[person]
            request = requests.popleft()
            if requests:
                self._waiting[person] = requests
            if not request.done():
                request.set_result(item)
                return
        self._free.append(item)

    async def get(self, person: str) -> T:
        """The next free thing for this person. Raises TooManyWaiting."""
        if self._free:
            return self._free.popleft()
        requests = self._waiting.setdefault(person, deque())
        if len(requests) >= MAX_WAITING:
            raise TooManyWaiting
        request: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        requests.append(request)
        try:
            return await request
        except asyncio.CancelledError:
            if request.done() and not request.cancelled():
                self.put(request.result())
            raise
        finally:
            self._forget(person, request)

    def _forget(self, person: str, request: asyncio.Future[T]) -> None:
        requests = self._waiting.get(person)
        if requests is not None and request in requests:
            requests.remove(request)
            if not requests:
                del self._waiting[person]
