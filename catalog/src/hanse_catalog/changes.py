"""What lies between two snapshots of a product: rows added, removed and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hanse.model.mesh import Product
from hanse.quoting import quote

from .sql.service import Answer, Query, QueryService

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts by kind of change, and the first rows."""

    counts: dict[str, int]
    rows: Answer


def _keyed(key: tuple[str, ...]) -> str:
    same = ", ".join(quote(column) for column in key)
    return (
        f"SELECT 'added' AS change, a.* FROM later a ANTI JOIN earlier b USING ({same}) "  # noqa: S608
        f"UNION ALL BY NAME SELECT 'removed' AS change, b.* FROM earlier b ANTI JOIN later a USING ({same}) "
        f"UNION ALL BY NAME SELECT 'changed' AS change, a.* FROM later a JOIN earlier b USING ({same}) "
        "WHERE a IS DISTINCT FROM b"
    )


_APPENDED = (
    "SELECT 'added' AS change, * FROM (SELECT * FROM later EXCEPT ALL SELECT * FROM earlier) "
    "UNION ALL SELECT 'removed' AS change, * FROM (SELECT * FROM earlier EXCEPT ALL SELECT * FROM later)"
)


async def compare(service: QueryService, product: Product, earlier: str, later: str) -> Changes:
    """Compare two moments or snapshots. Raises as `QueryService.open`."""
    import orjson

    body = _keyed(product.contract.primary_key) if product.contract.primary_key else _APPENDED
    moments = {"earlier": (product, earlier), "later": (product, later)}
    counted = await service.open(
        Query(f"WITH d AS ({body}) SELECT change, count(*) AS n FROM d GROUP BY change"),  # noqa: S608
        moments=moments,
    )
    found: list[dict[str, Any]] = orjson.loads(await counted.read())["rows"]
    rows = await service.open(
        Query(f"WITH d AS ({body}) SELECT * FROM d ORDER BY ALL", limit=SHOWN),  # noqa: S608
        moments=moments,
    )
    return Changes({row["change"]: row["n"] for row in found}, rows)
