-- Deliveries and late deliveries of each state.
SELECT
  customer_state AS state,
  COUNT(*) AS delivered_count,
  SUM(CASE WHEN late THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS late_count
FROM order_delivered
GROUP BY customer_state
