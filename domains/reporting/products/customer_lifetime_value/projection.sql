-- A product over a product: the orders domain promises the status of every order, this adds it up.
SELECT
  customer_id,
  COUNT(*) AS order_count,
  SUM(CASE WHEN delivered_at IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS delivered_count,
  SUM(CASE WHEN cancelled_at IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS cancelled_count,
  COALESCE(SUM(CASE WHEN cancelled_at IS NULL THEN paid_total END), 0) AS lifetime_value,
  MAX(placed_at) AS last_order_at
FROM orders.order_status
GROUP BY customer_id
