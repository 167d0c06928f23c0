"""Pathway: a tumbling window, written as CSV."""

from __future__ import annotations

import csv
import datetime
import tempfile
from pathlib import Path

import pathway as pw
from shared import WINDOW_S, Result, race


class Order(pw.Schema):
    """The topic's values."""

    state: str
    order_id: str
    items: int
    amount: float
    placed_at: str


def window(address: str, topic: str, count: int) -> Result:
    """Reads what the topic holds; the last row of each window is what counts."""
    del count
    settings = {
        "bootstrap.servers": address,
        "group.id": f"pathway-{topic}",
        "auto.offset.reset": "earliest",
        "session.timeout.ms": "60000",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        orders = pw.io.kafka.read(settings, topic=topic, format="json", schema=Order, mode="static")
        timed = orders.with_columns(at=pw.this.placed_at.dt.strptime("%Y-%m-%dT%H:%M:%S.%fZ"))
        made = timed.windowby(
            pw.this.at,
            window=pw.temporal.tumbling(datetime.timedelta(seconds=WINDOW_S)),
            instance=pw.this.state,
        ).reduce(
            state=pw.this._pw_instance,
            start=pw.this._pw_window_start,
            orders=pw.reducers.count(),
            items=pw.reducers.sum(pw.this.items),
        )
        pw.io.csv.write(made, path)
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        events = items = rows = 0
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                sign = int(row["diff"])
                events += sign * int(row["orders"])
                items += sign * int(row["items"])
                rows += sign
    return Result(events, items, rows)


race(window)
