"""Quix Streams: tumbling windows by key, kept in RocksDB, final windows into a topic."""

from __future__ import annotations

import tempfile
from datetime import datetime

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum
from shared import FETCH, WINDOW_S, Result, race


def window(address: str, topic: str, count: int) -> Result:
    """Stops after `count` messages, or ten seconds without one; what is closed by then is counted."""
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

        def closed(row: dict[str, int]) -> None:
            found["events"] += row["orders"]
            found["items"] += row["items"]
            found["rows"] += 1

        frame = app.dataframe(source)
        frame = frame.tumbling_window(WINDOW_S * 1000).agg(orders=Count(), items=Sum("items")).final()
        frame.update(closed).to_topic(app.topic(f"{topic}-quix"))
        app.run(count=count, timeout=60.0)
    return Result(found["events"], found["items"], found["rows"])


race(window)
