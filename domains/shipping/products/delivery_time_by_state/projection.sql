-- Deliveries and their hours on the way, by state and month of arrival.
SELECT
  destination_state AS state,
  DATE_FORMAT(delivered_at, 'yyyy-MM') AS delivery_month,
  COUNT(*) AS delivered_count,
  SUM(CAST(hours_on_the_way AS BIGINT)) AS hours_total,
  MAX(hours_on_the_way) AS slowest_hours
FROM shipment_delivered
GROUP BY destination_state, DATE_FORMAT(delivered_at, 'yyyy-MM')
