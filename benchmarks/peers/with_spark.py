"""Spark Structured Streaming: a tumbling window over what the topic holds, upserts into Parquet, checkpoints."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from shared import WINDOW_S, Result, race

FIELDS = "state STRING, order_id STRING, items BIGINT, amount DOUBLE, placed_at TIMESTAMP"
BATCH = 500_000
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(str(p) for p in Path(sys.argv[4]).glob("*.jar")))
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def window(address: str, topic: str, count: int) -> Result:
    """Micro-batches of `BATCH` until the head that the topic had at the start."""
    del count
    with tempfile.TemporaryDirectory() as folder:
        source = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", address)
            .option("subscribe", topic)
            .option("startingOffsets", "earliest")
            .option("maxOffsetsPerTrigger", BATCH)
            .load()
        )
        orders = source.select(f.from_json(f.col("value").cast("string"), FIELDS).alias("v")).select("v.*")
        made = (
            orders.withWatermark("placed_at", "10 minutes")
            .groupBy(f.window("placed_at", f"{WINDOW_S} seconds"), "state")
            .agg(f.count("*").alias("orders"), f.sum("items").alias("items"))
        )
        query = (
            made.writeStream.outputMode("update")
            .option("checkpointLocation", f"{folder}/checkpoint")
            .foreachBatch(
                lambda rows, number: (
                    rows.withColumn("n", f.lit(number)).write.mode("append").parquet(f"{folder}/out")
                )
            )
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
        latest = (
            spark.read.parquet(f"{folder}/out")
            .groupBy("window", "state")
            .agg(f.max_by("orders", "n").alias("orders"), f.max_by("items", "n").alias("items"))
        )
        events, items, rows = latest.agg(f.sum("orders"), f.sum("items"), f.count("*")).collect()[0]
        batches = [p["durationMs"]["triggerExecution"] / 1000 for p in query.recentProgress]
    return Result(events, items, rows, batches)


race(window)
