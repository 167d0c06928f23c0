"""Quix Streams: tumbling windows by key, kept in RocksDB, final windows into a topic."""

from __future__ import annotations

import tempfile
import time
from datetime import datetime

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum
from shared import FETCH, WINDOW_S, Result, race


def window(address: str, topic: str, count: int) -> Result:
    """Stops after ten seconds without a message; what is closed by then is counted, the last windows are not."""
    del count
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=address,
            consumer_group=f"quix-{folder[-8:]}",
            auto_offset_reset="earliest",
            state_dir=folder,
            consumer_extra_config=FETCH,
            loglevel="ERROR",
        )
        source = app.topic(
            topic,
            timestamp_extractor=lambda value, *_: int(
                datetime.fromisoformat(value["placed_at"]).timestamp() * 1000
            ),
        )
        found = {"events": 0, "items": 0, "rows": 0}
        last = [time.perf_counter()]

        def closed(row: dict[str, int]) -> None:
            found["events"] += row["orders"]
            found["items"] += row["items"]
            found["rows"] += 1
            last[0] = time.perf_counter()

        frame = app.dataframe(source)
        frame = frame.tumbling_window(WINDOW_S * 1000).agg(orders=Count(), items=Sum("items")).final()
        frame.update(closed).to_topic(app.topic(f"{topic}-quix"))
        app.run(timeout=10.0)
        idle = time.perf_counter() - last[0]
    return Result(found["events"], found["items"], found["rows"], idle=idle)


race(window)
