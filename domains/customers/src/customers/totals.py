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

OLIST: list[tuple[str, str, str]] = [
    ("customers, added up over the states", _BY_STATE, f"SELECT count(*) FROM {_PEOPLE}"),  # noqa: S608
    ("customers in the directory", _DIRECTORY, f"SELECT count(*) FROM {_PEOPLE}"),  # noqa: S608
]

SIMULATED: list[tuple[str, str, str]] = [
    ("customers, added up over the states", _BY_STATE, _KNOWN),
    ("customers in the directory", _DIRECTORY, _KNOWN),
]
