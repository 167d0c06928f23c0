"""Asking a log that may not answer: readers wait a moment and no longer, and one request is on its way at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from hanse.errors import HanseError, LogError

LOGGER = logging.getLogger("hanse.catalog")
SECONDS = 5.0
T = TypeVar("T")


class _Question(Generic[T]):
    """One question in a thread of its own, which may outlive who asked."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.answered = threading.Event()
        self.answer: T | None = None
        self.error: HanseError | None = None
        threading.Thread(target=self._run, name="hanse-asks-the-log", daemon=True).start()

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except HanseError as error:
            self.error = error
        finally:
            self.answered.set()


class Patience:
    """Asks one source. While it owes an answer, nobody asks again."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._owed: threading.Event | None = None

    def ask(self, work: Callable[[], T]) -> T | None:
        """The answer; None when the log does not give one in time. Raises what is no fault of the log's."""
        if self._owed is not None and not self._owed.is_set():
            return None
        self._owed = None
        question = _Question(work)
        if not question.answered.wait(self._seconds):
            self._owed = question.answered
            LOGGER.warning("the event log does not answer within %g s: lag is not known", self._seconds)
            return None
        if isinstance(question.error, LogError):
            LOGGER.warning("lag is not known: %s", question.error.what)
            return None
        if question.error is not None:
            raise question.error
        return question.answer
