-- What each customer has ordered: the public events of the orders domain, seen as the customers' own affair.
SELECT
  customer_id,
  COUNT(*) AS order_count,
  SUM(order_total) AS order_value,
  MIN(placed_at) AS first_order_at,
  MAX(placed_at) AS last_order_at
FROM orders.order_placed
GROUP BY customer_id
