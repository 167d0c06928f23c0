"""What the reporting products must add up to: (name, SQL over the products, plain SQL over the input)."""

from __future__ import annotations

_ORDERS = """(SELECT order_id, order_status, customer_unique_id,
    TRY_CAST(order_purchase_timestamp AS TIMESTAMP) AS placed,
    TRY_CAST(order_approved_at AS TIMESTAMP) AS approved,
    TRY_CAST(order_delivered_carrier_date AS TIMESTAMP) AS taken,
    TRY_CAST(order_delivered_customer_date AS TIMESTAMP) AS arrived,
    TRY_CAST(order_estimated_delivery_date AS TIMESTAMP) AS promised
  FROM input.olist_orders_dataset JOIN input.olist_customers_dataset USING (customer_id)
  WHERE placed IS NOT NULL AND order_id IN (SELECT order_id FROM input.olist_order_items_dataset))"""
_ARRIVED = "coalesce(taken >= placed AND arrived >= taken, false)"
_OPEN = f"NOT {_ARRIVED} AND order_status NOT IN ('canceled', 'unavailable')"
_REVIEWS = f"""(SELECT CAST(review_score AS BIGINT) AS score, arrived > promised AS late
  FROM input.olist_order_reviews_dataset JOIN {_ORDERS} USING (order_id)
  WHERE {_ARRIVED} AND TRY_CAST(review_answer_timestamp AS TIMESTAMP)
      >= TRY_CAST(review_creation_date AS TIMESTAMP)
    AND CAST(TRY_CAST(review_creation_date AS TIMESTAMP) AS DATE) >= CAST(placed AS DATE))"""  # noqa: S608
_PAID = f"""(SELECT CAST(payment_value AS DECIMAL(18, 2)) AS paid
  FROM input.olist_order_payments_dataset JOIN {_ORDERS} USING (order_id) WHERE approved IS NOT NULL
    AND (order_status NOT IN ('canceled', 'unavailable') OR {_ARRIVED}))"""  # noqa: S608

_VALUE = "SELECT coalesce(sum(lifetime_value), 0) FROM reporting.customer_lifetime_value"
_REVIEWED = "SELECT CAST(coalesce(sum(review_count), 0) AS BIGINT) FROM reporting.reviews_by_lateness"
_UNPAID = "SELECT count(*) FROM reporting.at_risk_orders WHERE risk = 'sent unpaid'"
_FAILED = "SELECT CAST(coalesce(sum(failed_count), 0) AS BIGINT) FROM reporting.failed_shipments"

OLIST: list[tuple[str, str, str]] = [
    (
        "paid by customers in all their lives",
        _VALUE,
        f"SELECT coalesce(sum(paid), 0) FROM {_PAID}",  # noqa: S608
    ),
    ("reviews of delivered orders", _REVIEWED, f"SELECT count(*) FROM {_REVIEWS}"),  # noqa: S608
    (
        "points given to orders that came late",
        """SELECT CAST(coalesce(sum(points), 0) AS BIGINT) FROM reporting.reviews_by_lateness
           WHERE lateness <> 'in time'""",
        f"SELECT CAST(coalesce(sum(score), 0) AS BIGINT) FROM {_REVIEWS} WHERE late",  # noqa: S608
    ),
    (
        "orders that left unpaid and have not arrived",
        _UNPAID,
        f"""SELECT count(*) FROM {_ORDERS} WHERE {_OPEN} AND taken >= placed AND taken <= promised
            AND approved IS NULL""",  # noqa: S608
    ),
    (
        "shipments that failed",
        _FAILED,
        f"""SELECT count(*) FROM {_ORDERS}
            WHERE taken IS NULL AND order_status IN ('canceled', 'unavailable')""",  # noqa: S608
    ),
    (
        "sold by sellers that were won as leads",
        "SELECT coalesce(sum(revenue), 0) FROM reporting.won_sellers",
        """SELECT coalesce(sum(CAST(price AS DECIMAL(18, 2))), 0)
           FROM input.olist_order_items_dataset
           JOIN input.olist_orders_dataset USING (order_id)
           JOIN input.olist_closed_deals_dataset USING (seller_id)
           JOIN input.olist_marketing_qualified_leads_dataset USING (mql_id)
           WHERE CAST(won_date AS TIMESTAMP) >= CAST(first_contact_date AS TIMESTAMP)
             AND CAST(order_purchase_timestamp AS TIMESTAMP) >= CAST(won_date AS TIMESTAMP)""",
    ),
]


def _accepted(*kinds: str) -> str:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return f"SELECT count(*) FROM input.commands WHERE kind IN ({names}) AND accepted"  # noqa: S608


SIMULATED: list[tuple[str, str, str]] = [
    ("shipments that failed", _FAILED, _accepted("LoseShipment", "ReturnShipment", "CallOffShipment")),
    (
        "paid by customers in all their lives",
        _VALUE,
        """SELECT coalesce(sum(payment.amount.amount), 0) FROM (
            SELECT unnest(from_json(body, '{"payments": [{"amount": {"amount": "DECIMAL(18,2)"}}]}').payments)
              AS payment
            FROM input.commands paid WHERE kind = 'ConfirmPayment' AND accepted AND NOT EXISTS (
              FROM input.commands c WHERE c.kind = 'CancelOrder' AND c.accepted
                AND c.body->>'order_id' = paid.body->>'order_id'))""",
    ),
]
