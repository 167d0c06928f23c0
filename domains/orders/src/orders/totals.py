"""What the orders products must add up to: (name, SQL over the products, plain SQL over the input).

The SQL over the input knows the business rules, not the code: an order has items, a payment an approved
order, a delivery a shipment before it.
"""

from __future__ import annotations

_PLACED = "(SELECT DISTINCT order_id FROM input.olist_order_items_dataset)"
_ORDERS = f"""(SELECT order_id, customer_state, order_status,
    TRY_CAST(order_purchase_timestamp AS TIMESTAMP) AS placed,
    TRY_CAST(order_approved_at AS TIMESTAMP) AS approved,
    TRY_CAST(order_delivered_carrier_date AS TIMESTAMP) AS shipped,
    TRY_CAST(order_delivered_customer_date AS TIMESTAMP) AS delivered
  FROM input.olist_orders_dataset JOIN input.olist_customers_dataset USING (customer_id)
  WHERE order_id IN {_PLACED} AND placed IS NOT NULL)"""  # noqa: S608
_ITEMS = f"(FROM input.olist_order_items_dataset JOIN {_ORDERS} USING (order_id))"
_DELIVERED = "shipped >= placed AND delivered >= shipped"

OLIST: list[tuple[str, str, str]] = [
    (
        "orders placed",
        "SELECT count(*) FROM orders.placed_orders",
        f"SELECT count(*) FROM {_ORDERS}",  # noqa: S608
    ),
    (
        "orders, added up over the states",
        "SELECT CAST(coalesce(sum(order_count), 0) AS BIGINT) FROM orders.orders_by_state",
        f"SELECT count(*) FROM {_ORDERS}",  # noqa: S608
    ),
    (
        "orders of SP",
        "SELECT order_count FROM orders.orders_by_state WHERE state = 'SP'",
        f"SELECT count(*) FROM {_ORDERS} WHERE customer_state = 'SP'",  # noqa: S608
    ),
    (
        "revenue, added up over the hours",
        "SELECT coalesce(sum(revenue), 0) FROM orders.revenue_by_hour",
        f"SELECT coalesce(sum(CAST(price AS DECIMAL(18, 2))), 0) FROM {_ITEMS}",  # noqa: S608
    ),
    (
        "busiest hour's revenue",
        "SELECT max(revenue) FROM orders.revenue_by_hour",
        f"""SELECT max(revenue) FROM (
            SELECT sum(CAST(price AS DECIMAL(18, 2))) AS revenue FROM {_ITEMS}
            GROUP BY date_trunc('hour', placed))""",  # noqa: S608
    ),
    (
        "freight, added up over the categories",
        "SELECT coalesce(sum(freight), 0) FROM orders.revenue_by_category",
        f"SELECT coalesce(sum(CAST(freight_value AS DECIMAL(18, 2))), 0) FROM {_ITEMS}",  # noqa: S608
    ),
    (
        "money paid",
        "SELECT coalesce(sum(total), 0) FROM orders.payments",
        f"""SELECT coalesce(sum(CAST(payment_value AS DECIMAL(18, 2))), 0) FROM input.olist_order_payments_dataset
            JOIN {_ORDERS} USING (order_id) WHERE approved IS NOT NULL""",  # noqa: S608
    ),
    (
        "orders delivered",
        "SELECT count(*) FROM orders.order_status WHERE delivered_at IS NOT NULL",
        f"SELECT count(*) FROM {_ORDERS} WHERE {_DELIVERED}",  # noqa: S608
    ),
    (
        "deliveries, added up over the states",
        "SELECT CAST(coalesce(sum(delivered_count), 0) AS BIGINT) FROM orders.delivery_performance",
        f"SELECT count(*) FROM {_ORDERS} WHERE {_DELIVERED}",  # noqa: S608
    ),
    (
        "orders cancelled",
        "SELECT count(*) FROM orders.cancelled_orders",
        f"""SELECT count(*) FROM {_ORDERS}
            WHERE order_status IN ('canceled', 'unavailable') AND coalesce({_DELIVERED}, false) = false""",  # noqa: S608
    ),
]

_PLACED_ITEMS = """(SELECT unnest(from_json(body, '{"items": [{"price": {"amount": "DECIMAL(18,2)"},
    "freight": {"amount": "DECIMAL(18,2)"}}]}').items) AS item
  FROM input.commands WHERE kind = 'PlaceOrder' AND accepted)"""


def _accepted(kind: str) -> str:
    return f"SELECT count(*) FROM input.commands WHERE kind = '{kind}' AND accepted"  # noqa: S608


SIMULATED: list[tuple[str, str, str]] = [
    ("orders placed", "SELECT count(*) FROM orders.placed_orders", _accepted("PlaceOrder")),
    (
        "orders, added up over the states",
        "SELECT CAST(coalesce(sum(order_count), 0) AS BIGINT) FROM orders.orders_by_state",
        _accepted("PlaceOrder"),
    ),
    (
        "revenue, added up over the hours",
        "SELECT coalesce(sum(revenue), 0) FROM orders.revenue_by_hour",
        f"SELECT coalesce(sum(item.price.amount), 0) FROM {_PLACED_ITEMS}",  # noqa: S608
    ),
    (
        "freight, added up over the categories",
        "SELECT coalesce(sum(freight), 0) FROM orders.revenue_by_category",
        f"SELECT coalesce(sum(item.freight.amount), 0) FROM {_PLACED_ITEMS}",  # noqa: S608
    ),
    (
        "money paid",
        "SELECT coalesce(sum(total), 0) FROM orders.payments",
        """SELECT coalesce(sum(payment.amount.amount), 0) FROM (
            SELECT unnest(from_json(body, '{"payments": [{"amount": {"amount": "DECIMAL(18,2)"}}]}').payments)
              AS payment
            FROM input.commands WHERE kind = 'ConfirmPayment' AND accepted)""",
    ),
    (
        "orders delivered",
        "SELECT count(*) FROM orders.order_status WHERE delivered_at IS NOT NULL",
        _accepted("DeliverOrder"),
    ),
    ("orders cancelled", "SELECT count(*) FROM orders.cancelled_orders", _accepted("CancelOrder")),
]
