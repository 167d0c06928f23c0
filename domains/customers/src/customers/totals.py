"""What the customers products must add up to: (name, SQL over the products, plain SQL over the input)."""

from __future__ import annotations

_PEOPLE = """(SELECT DISTINCT customer_unique_id FROM input.olist_customers_dataset
  JOIN input.olist_orders_dataset USING (customer_id)
  WHERE TRY_CAST(order_purchase_timestamp AS TIMESTAMP) IS NOT NULL)"""
_BY_STATE = "SELECT CAST(coalesce(sum(customer_count), 0) AS BIGINT) FROM customers.customers_by_state"
_DIRECTORY = "SELECT count(*) FROM customers.customer_directory"
_KNOWN = """SELECT count(*) FROM input.commands r WHERE kind = 'RegisterCustomer' AND accepted
  AND NOT EXISTS (FROM input.commands f WHERE f.kind = 'ForgetCustomer' AND f.accepted
    AND f.body->>'customer_id' = r.body->>'customer_id')"""

_VALUE = "SELECT coalesce(sum(order_value), 0) FROM customers.customer_value"

OLIST: list[tuple[str, str, str]] = [
    ("customers, added up over the states", _BY_STATE, f"SELECT count(*) FROM {_PEOPLE}"),  # noqa: S608
    ("customers in the directory", _DIRECTORY, f"SELECT count(*) FROM {_PEOPLE}"),  # noqa: S608
    (
        "value of all customers' orders",
        _VALUE,
        """SELECT coalesce(sum(CAST(price AS DECIMAL(18, 2)) + CAST(freight_value AS DECIMAL(18, 2))), 0)
           FROM input.olist_order_items_dataset JOIN input.olist_orders_dataset USING (order_id)
           JOIN input.olist_customers_dataset USING (customer_id)
           WHERE TRY_CAST(order_purchase_timestamp AS TIMESTAMP) IS NOT NULL""",
    ),
]

SIMULATED: list[tuple[str, str, str]] = [
    ("customers, added up over the states", _BY_STATE, _KNOWN),
    ("customers in the directory", _DIRECTORY, _KNOWN),
    (
        "value of all customers' orders",
        _VALUE,
        """SELECT coalesce(sum(item.price.amount + item.freight.amount), 0) FROM (
            SELECT unnest(from_json(body, '{"items": [{"price": {"amount": "DECIMAL(18,2)"},
              "freight": {"amount": "DECIMAL(18,2)"}}]}').items) AS item
            FROM input.commands WHERE kind = 'PlaceOrder' AND accepted)""",
    ),
]
