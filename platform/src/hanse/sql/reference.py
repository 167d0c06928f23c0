"""The reference page of the projection language, written from the tables that lowering uses.

`python -m hanse.sql.reference docs/reference/sql.md` writes it; a test holds the page to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hanse.sql.aggregates import AGGREGATES, RANKING
from hanse.sql.expressions import NONDETERMINISTIC
from hanse.sql.functions import FUNCTIONS

CONSTRUCTS: tuple[tuple[str, str, str], ...] = (
    (
        "`CREATE TABLE` of a source",
        "columns, computed columns, `METADATA`, `WATERMARK FOR`, `PRIMARY KEY … NOT ENFORCED`, `'changelog-mode'`",
        "–",
    ),
    (
        "`CREATE TABLE` of a sink",
        "columns and `PRIMARY KEY`; without it the query's columns are the sink's",
        "–",
    ),
    ("`CREATE VIEW`, `WITH`", "lowered anew at each use", "as the query"),
    ("`INSERT INTO`", "several in a program, also several into one sink", "as the query"),
    ("filter and projection", "of rows that only come, or of keyed rows", "incremental"),
    ("`GROUP BY` with `COUNT`, `SUM`, `AVG`", "also over keyed rows that change and go", "incremental"),
    ("`GROUP BY` with `MIN`, `MAX`", "over a source declared `'changelog-mode' = 'I'`", "incremental"),
    (
        "`TUMBLE`, `HOP`, `CUMULATE` with those aggregates",
        "over a source declared `'changelog-mode' = 'I'`",
        "incremental",
    ),
    (
        "`SESSION`, `PARTITION BY`",
        "rows exactly one gap apart are one session, as long as it is open",
        "groups",
    ),
    ("`GROUP BY TUMBLE(…)`, `HOP(…)`, `SESSION(…)`", "with `_START`, `_END`, `_ROWTIME`", "groups"),
    (
        "other aggregates, `DISTINCT`, `FILTER`, `HAVING`",
        "a global aggregate over nothing has no row",
        "groups; full without a key",
    ),
    ("`GROUPING SETS`, `ROLLUP`, `CUBE`", "with `GROUPING`", "full"),
    (
        "`JOIN`, `LEFT`, `RIGHT`, `FULL`, `CROSS`, `USING`",
        "regular joins of what is there now",
        "delta; groups on the side that an outer join pads",
    ),
    (
        "interval join",
        "event times compared across the sides, in `ON` or `WHERE`",
        "delta; groups on the side that an outer join pads",
    ),
    (
        "window join",
        "both sides in the same windows; also `IN` and `EXISTS`",
        "delta; full for `IN` and `EXISTS`",
    ),
    (
        "`FOR SYSTEM_TIME AS OF` event time",
        "the version at the left row's time: a keyed source, or a view that keeps the last row",
        "delta on the left, groups on the right",
    ),
    (
        "`FOR SYSTEM_TIME AS OF` processing time",
        "lookup: what was there when the left row arrived",
        "delta on the left, groups on the right",
    ),
    (
        "`ROW_NUMBER() … WHERE rn <= n`, `ORDER BY … LIMIT`",
        "top-n and deduplication; ties follow arrival",
        "groups by `PARTITION BY`; full for `LIMIT`",
    ),
    ("`OVER`", "`ROWS` and `RANGE` frames, named windows", "groups by `PARTITION BY`"),
    ("`UNION [ALL]`, `INTERSECT [ALL]`, `EXCEPT [ALL]`", "", "delta for `UNION ALL`, else groups"),
    (
        "`IN`, `EXISTS`, scalar subqueries, `LATERAL (SELECT …)`",
        "correlated too",
        "delta outside, full for the subquery's tables",
    ),
    ("`UNNEST`", "of arrays, maps and multisets, `WITH ORDINALITY`", "delta"),
    ("`MATCH_RECOGNIZE`, `WITH RECURSIVE`, table functions of one's own", "", "refused"),
    ("processing-time windows, processing time in a result", "a replay would give other rows", "refused"),
)


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# The projection language",
        "",
        "Flink SQL, the portable subset. Names are case-sensitive; names that are keywords go in backticks.",
        "What is not on this page is refused when a product is planned, with the clause, its line and column, and a way out.",
        "",
        "This page is written by `python -m hanse.sql.reference docs/reference/sql.md`.",
        "",
        "## Sources",
        "",
        "`WITH ('changelog-mode' = …)` says how a source's rows change: `I` they only come (a declared key is not enforced), "
        "`I,UA,D` keyed rows are replaced and deleted, `I,UB,UA,D` every change brings its old row.",
        "Without it rows are taken to only come, until one does not.",
        "",
        "## Time",
        "",
        "A watermark rises with each row, never with a batch: the same rows in the same order give the same result however they are cut.",
        "`emission` is `update` (open windows are shown) or `closed` (a window is shown once the watermark passes its end); "
        "`late` is `keep` or `drop` (a row is dropped for each window that has closed, not for all of its windows).",
        "Where late rows drop, they are kept aside with the watermark that they came behind (`Engine.late_rows`). "
        "Windows over a `TIMESTAMP_LTZ` follow the wall clock of `table.local-time-zone`, its summer time too; after an interval "
        "join the watermark stays behind by the longer side of the interval.",
        "",
        "## Numbers",
        "",
        "Integers divide to integers, `AVG` of integers is an integer, casts to integers truncate. An integer or decimal divided by "
        "zero is NULL, a double an infinity (Flink stops the job at the first). Sums that leave their type are an error and change nothing.",
        "",
        "## Constructs",
        "",
        "Modes: *incremental* works on the batch and a small state. *delta* puts the batch in the place of the table it is of, "
        "and what that gives is added or taken away. *groups* recomputes the keys that the batch touches, before and after it; the keys "
        "are columns that lead unchanged from the source to `GROUP BY`, `PARTITION BY` or both sides of an equality. *full* recomputes and "
        "takes the difference.",
        "",
        "*delta* and *groups* hold for declared sources (`'changelog-mode'`) under emission `update`; under `closed` what shows depends on "
        "the watermark too, and all but filters and windows is *full*. While the state is small or the batch touches most of it, "
        "recomputing is cheaper and is done instead. `hanse product explain` shows the mode of a product, how a batch of each source "
        "is taken, its size, and the SQL.",
        "",
        "| construct | | mode |",
        "|---|---|---|",
    ]
    lines += [f"| {what} | {how} | {mode} |" for what, how, mode in CONSTRUCTS]
    lines += ["", "## Functions", ""]
    lines += [f"- `{FUNCTIONS[name].signature}`" for name in sorted(FUNCTIONS)]
    lines += [
        "- `CAST(x AS type)`, `TRY_CAST(x AS type)`, `EXTRACT(unit FROM time)`, `FLOOR(time TO unit)`, `CEIL(time TO unit)`"
    ]
    lines += ["- `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS`, `JSON_OBJECT`, `JSON_ARRAY`, `x IS JSON`"]
    lines += ["", "## Aggregates", "", ", ".join(f"`{name}`" for name in AGGREGATES)]
    lines += ["", "Only over a window of rows: " + ", ".join(f"`{name}`" for name in RANKING)]
    lines += [
        "",
        "## Refused because a replay would differ",
        "",
        ", ".join(f"`{name}`" for name in NONDETERMINISTIC),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
