"""Nexmark queries 0 to 8 on an auction's events: `python benchmarks/nexmark.py [--events N]`.

The generator follows the published definition (of 50 events one is a person, three are auctions, 46 are bids;
hot sellers, hot auctions and hot bidders; prices spread by powers of ten). Query 6 is left out of Flink's set and
of this one: it needs a frame over retractions. Beside each query: plain DuckDB over the same rows, in the same run.
"""

from __future__ import annotations

import argparse
import time

import duckdb
import numpy as np
import pyarrow as pa

from hanse.testing import ProjectionHarness

MARK = "ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH ('changelog-mode' = 'I');"
DDL = (
    f"CREATE TABLE person (id BIGINT, name STRING, city STRING, state STRING, {MARK}"
    f"CREATE TABLE auction (id BIGINT, seller BIGINT, category BIGINT, reserve BIGINT, expires TIMESTAMP(3), {MARK}"
    f"CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, {MARK}"
)
TEN = "TABLE({kind}(TABLE {table}, DESCRIPTOR(ts), {size}))"
TUMBLE = TEN.format(kind="TUMBLE", table="{}", size="INTERVAL '10' SECOND")
HOT = "SELECT auction, COUNT(*) AS n, window_start AS s, window_end AS e FROM {} GROUP BY auction, window_start, window_end"
HOP = HOT.format(TEN.format(kind="HOP", table="bid", size="INTERVAL '2' SECOND, INTERVAL '10' SECOND"))
STRETCH = "to_timestamp(floor(epoch(ts) / 10) * 10)"
SLIDES = (
    "SELECT auction, count(*) AS n, s FROM (SELECT auction, floor(epoch(ts) / 2) * 2 - 2 * unnest(range(5)) AS s FROM bid) "
    "GROUP BY auction, s"
)
WON = "SELECT a.id, a.category, max(b.price) AS final FROM auction a JOIN bid b ON a.id = b.auction AND b.ts BETWEEN a.ts AND a.expires GROUP BY a.id, a.category"
QUERIES: dict[str, tuple[str, str]] = {
    "q0 pass through": ("SELECT auction, bidder, price, ts FROM bid", ""),
    "q1 currency": (
        "SELECT auction, bidder, CAST(price AS DECIMAL(18, 3)) * 0.908 AS price, ts FROM bid",
        "",
    ),
    "q2 selection": ("SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0", ""),
    "q3 local items": (
        "SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id "
        "WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')",
        "",
    ),
    "q4 average by category": (f"SELECT category, AVG(final) AS a FROM ({WON}) GROUP BY category", ""),
    "q5 hot items": (
        f"SELECT x.auction, x.n FROM ({HOP}) x JOIN (SELECT MAX(n) AS m, s, e FROM ({HOP}) GROUP BY s, e) y "
        "ON x.s = y.s AND x.e = y.e AND x.n >= y.m",
        f"SELECT x.auction, x.n FROM ({SLIDES}) x JOIN (SELECT max(n) AS m, s FROM ({SLIDES}) GROUP BY s) y "
        "ON x.s = y.s AND x.n >= y.m",
    ),
    "q7 highest bid": (
        f"SELECT b.auction, b.price, b.bidder FROM {TUMBLE.format('bid')} b JOIN (SELECT MAX(price) AS m, window_start, "
        f"window_end FROM {TUMBLE.format('bid')} GROUP BY window_start, window_end) t ON b.price = t.m AND "
        "b.window_start = t.window_start AND b.window_end = t.window_end",
        f"SELECT auction, price, bidder FROM bid QUALIFY price = max(price) OVER (PARTITION BY {STRETCH})",
    ),
    "q8 new users": (
        f"SELECT p.id, p.name, p.s FROM (SELECT id, name, window_start AS s, window_end AS e FROM {TUMBLE.format('person')} "
        f"GROUP BY id, name, window_start, window_end) p JOIN (SELECT seller, window_start AS s, window_end AS e FROM "
        f"{TUMBLE.format('auction')} GROUP BY seller, window_start, window_end) a ON p.id = a.seller AND p.s = a.s AND p.e = a.e",
        f"SELECT p.id, p.name, p.s FROM (SELECT DISTINCT id, name, {STRETCH} AS s FROM person) p JOIN "
        f"(SELECT DISTINCT seller, {STRETCH} AS s FROM auction) a ON p.id = a.seller AND p.s = a.s",
    ),
}
PEOPLE, AUCTIONS, EVERY = 1, 3, 50
STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
CITIES = (
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
)
START, PER_SECOND = 1_700_000_000_000, 10_000


def tables(start: int, count: int) -> dict[str, pa.Table]:
    """Events `start` to `start + count`, by table; the same numbers always give the same rows."""
    number = np.arange(start, start + count, dtype=np.int64)
    epoch, place = number // EVERY, number % EVERY
    rng = np.random.default_rng(start)
    moment = START + number * 1_000 // PER_SECOND
    last_person = epoch + 1_000
    last_auction = epoch * AUCTIONS + np.clip(place - PEOPLE, 0, AUCTIONS - 1) + 1_000
    chance, spread = rng.random(count), rng.random(count)
    price = np.round(10 ** (rng.random(count) * 6) * 100).astype(np.int64)
    any_person = last_person - (spread * np.minimum(last_person, 1_000)).astype(np.int64)
    any_auction = last_auction - (spread * np.minimum(last_auction, 100)).astype(np.int64)
    seller = np.where(chance < 0.99, last_person // 100 * 100, any_person)
    bidder = np.where(chance < 0.99, last_person // 100 * 100 + 1, any_person)
    auction = np.where(chance < 0.5, last_auction // 100 * 100, any_auction)
    times = pa.array(moment).cast(pa.timestamp("ms"))
    names = pa.array([f"person {n}" for n in last_person[place < PEOPLE]])
    is_person, is_auction = place < PEOPLE, (place >= PEOPLE) & (place < PEOPLE + AUCTIONS)
    is_bid = ~is_person & ~is_auction
    pick = rng.integers(0, 1 << 30, count)
    return {
        "person": pa.table(
            {
                "id": last_person[is_person],
                "name": names,
                "city": [CITIES[n % len(CITIES)] for n in pick[is_person]],
                "state": [STATES[n % len(STATES)] for n in pick[is_person]],
                "ts": times.filter(pa.array(is_person)),
            }
        ),
        "auction": pa.table(
            {
                "id": last_auction[is_auction],
                "seller": seller[is_auction],
                "category": 10 + pick[is_auction] % 5,
                "reserve": price[is_auction],
                "expires": pa.array((moment + 1 + pick % 20_000)[is_auction]).cast(pa.timestamp("ms")),
                "ts": times.filter(pa.array(is_auction)),
            }
        ),
        "bid": pa.table(
            {
                "auction": auction[is_bid],
                "bidder": bidder[is_bid],
                "price": price[is_bid],
                "ts": times.filter(pa.array(is_bid)),
            }
        ),
    }


def ours(query: str, parts: list[dict[str, pa.Table]]) -> tuple[float, int]:
    """Processor seconds from the first batch to the final rows, and how many these are."""
    with ProjectionHarness(DDL + query) as harness:
        used = {
            s.name
            for s in harness.engine.program.catalog.sources.values()
            if s.number in next(iter(harness.engine.program.sinks.values())).sources
        }
        begun = time.process_time()
        for part in parts:
            for name, rows in part.items():
                if name in used:
                    harness.feed(name, rows)
        harness.end_of_input()
        found = harness.table().num_rows
        return time.process_time() - begun, found


def plain(query: str, parts: list[dict[str, pa.Table]]) -> tuple[float, int]:
    """The same of DuckDB that stores the rows and asks once."""
    with duckdb.connect() as con:
        begun = time.process_time()
        for name in parts[0]:
            if name in query:
                con.register("rows", pa.concat_tables(part[name] for part in parts))
                con.execute(f"CREATE TABLE {name} AS FROM rows")
        found = con.sql(query).to_arrow_table().num_rows
        return time.process_time() - begun, found


def main() -> None:
    """Print a line a query; fail when the rows are not as many as DuckDB's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--short", action="store_true", help="50,000 events")
    args = parser.parse_args()
    if args.short:
        args.events, args.batch = 50_000, 10_000
    parts = [
        tables(start, min(args.batch, args.events - start)) for start in range(0, args.events, args.batch)
    ]
    print(f"{'query':<26}{'events/s':>12}{'DuckDB':>12}{'ratio':>8}{'rows':>12}")
    for name, (query, reference) in QUERIES.items():
        seconds, rows = ours(query, parts)
        base, expected = plain(reference or query, parts)
        print(
            f"{name:<26}{args.events / seconds:>12,.0f}{args.events / base:>12,.0f}{base / seconds:>8.2f}{rows:>12,}",
            flush=True,
        )
        if rows != expected:
            raise SystemExit(f"{name}: {rows:,} rows, DuckDB has {expected:,}")


if __name__ == "__main__":
    main()
