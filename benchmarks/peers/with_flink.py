"""Flink SQL in one JVM, parallelism 2, a checkpoint a second: tumbling windows into CSV files, at the end of input.

The fourth argument is the folder with the Kafka connector. Needs a JDK, as the statements are run by a Java file.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import pyflink
from shared import Result

SQL = """
CREATE TABLE orders (
  state STRING, order_id STRING, items BIGINT, amount DOUBLE, placed_at TIMESTAMP_LTZ(3),
  WATERMARK FOR placed_at AS placed_at - INTERVAL '10' MINUTE
) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{address}',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
  'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'
);
CREATE TABLE report (window_start TIMESTAMP(3), state STRING, orders BIGINT, items BIGINT)
WITH ('connector' = 'filesystem', 'path' = '{folder}/out', 'format' = 'csv');
INSERT INTO report
SELECT window_start, state, COUNT(*), SUM(items)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(placed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, state
"""


def window(address: str, topic: str, jars: str) -> tuple[float, Result]:
    """Seconds of the statements, and what the files hold."""
    home = Path(pyflink.__path__[0])
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "race.sql"
        script.write_text(SQL.format(topic=topic, address=address, folder=folder))
        done = subprocess.run(
            ["java", "-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED", "-cp", f"{home}/lib/*:{jars}/*",
             str(Path(__file__).with_name("FlinkRace.java")), str(script)],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr[-400:])
        seconds = next(float(x.split()[1]) for x in done.stdout.splitlines() if x.startswith("SECONDS "))
        events = items = rows = 0
        for path in (Path(folder) / "out").rglob("part-*"):
            with path.open(encoding="utf-8") as file:
                for row in csv.reader(file):
                    events, items, rows = events + int(row[2]), items + int(row[3]), rows + 1
    return seconds, Result(events, items, rows)


if __name__ == "__main__":
    import json

    took, found = window(sys.argv[1], sys.argv[2], sys.argv[4])
    print("RESULT " + json.dumps({"seconds": took, **vars(found)}))
