"""What the shipping products must add up to: (name, SQL over the products, plain SQL over the input)."""

from __future__ import annotations

_SHIPMENTS = """(SELECT order_id, order_status, customer_state,
    TRY_CAST(order_purchase_timestamp AS TIMESTAMP) AS planned,
    TRY_CAST(order_delivered_carrier_date AS TIMESTAMP) AS taken,
    TRY_CAST(order_delivered_customer_date AS TIMESTAMP) AS arrived,
    TRY_CAST(order_estimated_delivery_date AS TIMESTAMP) AS promised
  FROM input.olist_orders_dataset JOIN input.olist_customers_dataset USING (customer_id)
  WHERE planned IS NOT NULL AND order_id IN (SELECT order_id FROM input.olist_order_items_dataset))"""
_ARRIVED = "taken >= planned AND arrived >= taken"

_COUNT = "SELECT CAST(coalesce(sum(delivered_count), 0) AS BIGINT) FROM shipping.delivery_time_by_state"
_HOURS = "SELECT CAST(coalesce(sum(hours_total), 0) AS BIGINT) FROM shipping.delivery_time_by_state"
_LATE = "SELECT CAST(coalesce(sum(late_count), 0) AS BIGINT) FROM shipping.carrier_lateness"
_UNDER_WAY = "SELECT count(*) FROM shipping.shipments_under_way"

OLIST: list[tuple[str, str, str]] = [
    (
        "shipments delivered, added up over states and months",
        _COUNT,
        f"SELECT count(*) FROM {_SHIPMENTS} WHERE {_ARRIVED}",  # noqa: S608
    ),
    (
        "hours on the way",
        _HOURS,
        f"""SELECT CAST(coalesce(sum(floor(epoch(arrived - taken) / 3600)), 0) AS BIGINT)
            FROM {_SHIPMENTS} WHERE {_ARRIVED}""",  # noqa: S608
    ),
    (
        "deliveries in SP in December 2017",
        """SELECT coalesce(sum(delivered_count), 0)::BIGINT FROM shipping.delivery_time_by_state
           WHERE state = 'SP' AND delivery_month = '2017-12'""",
        f"""SELECT count(*) FROM {_SHIPMENTS} WHERE {_ARRIVED} AND customer_state = 'SP'
            AND arrived >= '2017-12-01' AND arrived < '2018-01-01'""",  # noqa: S608
    ),
    (
        "shipments late",
        _LATE,
        f"SELECT count(*) FROM {_SHIPMENTS} WHERE {_ARRIVED} AND arrived > promised",  # noqa: S608
    ),
    (
        "shipments under way",
        _UNDER_WAY,
        f"""SELECT count(*) FROM {_SHIPMENTS} WHERE coalesce({_ARRIVED}, false) = false
            AND NOT (taken IS NULL AND order_status IN ('canceled', 'unavailable'))""",  # noqa: S608
    ),
]


def _accepted(*kinds: str) -> str:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return f"SELECT count(*) FROM input.commands WHERE kind IN ({names}) AND accepted"  # noqa: S608


SIMULATED: list[tuple[str, str, str]] = [
    ("shipments delivered, added up over states and months", _COUNT, _accepted("DeliverShipment")),
    (
        "shipments under way",
        _UNDER_WAY,
        f"""SELECT ({_accepted("PlanShipment")})
            - ({_accepted("DeliverShipment", "LoseShipment", "ReturnShipment", "CallOffShipment")})""",
    ),
]
