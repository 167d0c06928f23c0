"""A process of its own that writes to an event log: arguments ROOT LOG TOPIC NAME BATCHES SIZE.

Produces records `<name>-<number>` with keys that spread over the partitions, and prints the number
of the last acknowledged record after each batch. BATCHES 0 means until it is killed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from hanse.adapters.logs import open_log
from hanse.ports.event_log import Record
from hanse.settings import Settings


def main() -> None:
    """Produce as the arguments say."""
    root, address, topic, name, batches, size = sys.argv[1:]
    log = open_log(Settings(root=Path(root), data=Path(root) / ".hanse", log=address))
    count = int(size)
    for batch in itertools.count() if batches == "0" else range(int(batches)):
        numbers = range(batch * count, (batch + 1) * count)
        log.produce(topic, [Record(f"{name}-{n}".encode(), key=f"{n % 97}".encode()) for n in numbers])
        print(numbers[-1], flush=True)
    log.close()


if __name__ == "__main__":
    main()
