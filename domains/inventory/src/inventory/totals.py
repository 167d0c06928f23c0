"""What the inventory products must add up to: (name, SQL over the products, plain SQL over the input)."""

from __future__ import annotations

_ITEMS = """(SELECT seller_id, product_id, order_status,
    TRY_CAST(order_purchase_timestamp AS TIMESTAMP) AS placed,
    TRY_CAST(order_delivered_carrier_date AS TIMESTAMP) AS left_at
  FROM input.olist_order_items_dataset JOIN input.olist_orders_dataset USING (order_id)
  WHERE placed IS NOT NULL)"""
_LEFT = "coalesce(left_at >= placed, false)"
_CANCELLED = "order_status IN ('canceled', 'unavailable')"

_STOCKS = "SELECT count(*) FROM inventory.stock_level"
_ON_HAND = "SELECT CAST(coalesce(sum(on_hand), 0) AS BIGINT) FROM inventory.stock_level"
_RESERVED = "SELECT CAST(coalesce(sum(reserved), 0) AS BIGINT) FROM inventory.stock_level"
_OPEN = "SELECT CAST(coalesce(sum(quantity), 0) AS BIGINT) FROM inventory.open_reservations"
_LOW = "SELECT count(*) FROM inventory.low_stock"

OLIST: list[tuple[str, str, str]] = [
    ("stocks", _STOCKS, f"SELECT count(DISTINCT (seller_id, product_id)) FROM {_ITEMS}"),  # noqa: S608
    ("boxes on hand", _ON_HAND, f"SELECT count(*) FROM {_ITEMS} WHERE NOT {_LEFT}"),  # noqa: S608
    (
        "boxes reserved",
        _RESERVED,
        f"SELECT count(*) FROM {_ITEMS} WHERE NOT {_LEFT} AND NOT {_CANCELLED}",  # noqa: S608
    ),
    (
        "boxes in open reservations",
        _OPEN,
        f"SELECT count(*) FROM {_ITEMS} WHERE NOT {_LEFT} AND NOT {_CANCELLED}",  # noqa: S608
    ),
    (
        "stocks that run low",
        _LOW,
        f"""SELECT count(*) FROM (FROM {_ITEMS} SELECT count(*) FILTER (NOT {_LEFT} AND {_CANCELLED}) AS free
            GROUP BY seller_id, product_id) WHERE free = 0""",  # noqa: S608
    ),
]


def _sum(kind: str) -> str:
    return f"""SELECT CAST(coalesce(sum(CAST(body->>'quantity' AS BIGINT)), 0) AS BIGINT)
        FROM input.commands WHERE kind = '{kind}' AND accepted"""  # noqa: S608


def _ended(*kinds: str) -> str:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return f"""SELECT CAST(count(*) AS BIGINT) FROM input.commands WHERE kind IN ({names}) AND accepted"""  # noqa: S608


_STILL = f"SELECT ({_sum('ReserveStock')}) - ({_ended('CommitReservation', 'ReleaseReservation')})"

SIMULATED: list[tuple[str, str, str]] = [
    ("boxes on hand", _ON_HAND, f"SELECT ({_sum('ReceiveStock')}) - ({_ended('CommitReservation')})"),
    ("boxes reserved", _RESERVED, _STILL),
    ("boxes in open reservations", _OPEN, _STILL),
]
