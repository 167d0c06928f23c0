"""Commands of many clients, handled by one thread a domain: what waits together is committed together."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from hanse.domain.service import ApplicationService, Request, Verdict
from hanse.errors import HanseError, StoreError

MOST_TOGETHER = 500
_FAULTS = (
    HanseError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
)
_Waiting = tuple[Request, "Future[Verdict]"]


class CommandQueue:
    """Hands requests to the service of one domain, in the order of their arrival."""

    def __init__(self, service: ApplicationService) -> None:
        self._service = service
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Verdict]:
        """The verdict, once it is durable; its exception is a HanseError. Raises StoreError when closed."""
        future: Future[Verdict] = Future()
        if not self._thread.is_alive():
            raise StoreError("the domain takes no commands any more", fix="start its server again")
        self._waiting.put((request, future))
        return future

    def close(self) -> None:
        """Handle what waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < MOST_TOGETHER and not self._waiting.empty():
                item = self._waiting.get()
                if item is None:
                    last = True
                    break
                batch.append(item)
            self._handle(batch)
            if last:
                return

    def _handle(self, batch: list[_Waiting]) -> None:
        try:
            verdicts = self._service.handle_many([request for request, _ in batch])
        except _FAULTS as error:
            if len(batch) == 1:
                fault = HanseError("the domain's code has a fault", got=f"{type(error).__name__}: {error}")
                batch[0][1].set_exception(error if isinstance(error, HanseError) else fault)
            else:  # one client's command must not fail another's
                for one in batch:
                    self._handle([one])
            return
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            raise
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            future.set_result(verdict)
