"""Bytewax: an event-time tumbling window folded by key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main
from shared import FETCH, WINDOW_S, Result, race


def window(address: str, topic: str, count: int) -> Result:
    """Reads to the end of the topic."""
    del count
    out: list[tuple[str, tuple[int, tuple[int, int]]]] = []
    extra = {k: str(v) for k, v in FETCH.items()}
    flow = Dataflow("race")
    source = KafkaSource([address], [topic], tail=False, batch_size=10_000, add_config=extra)
    values = op.map("decode", op.input("in", flow, source), lambda m: json.loads(m.value))
    keyed: Any = op.key_on("key", values, lambda v: v["state"])
    clock = win.EventClock(
        ts_getter=lambda v: datetime.fromisoformat(v["placed_at"]),
        wait_for_system_duration=timedelta(minutes=10),
    )
    windower = win.TumblingWindower(
        align_to=datetime(2026, 1, 1, tzinfo=UTC), length=timedelta(seconds=WINDOW_S)
    )
    folded = win.fold_window(
        "fold",
        keyed,
        clock,
        windower,
        lambda: (0, 0),
        lambda state, v: (state[0] + 1, state[1] + v["items"]),
        lambda a, b: (a[0] + b[0], a[1] + b[1]),
    )
    op.output("out", folded.down, TestingSink(out))
    run_main(flow)
    return Result(sum(r[1][1][0] for r in out), sum(r[1][1][1] for r in out), len(out))


race(window)
