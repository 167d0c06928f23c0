-- Scores by whether the shipment kept its promise.
SELECT
  CASE WHEN s.ended_at > s.promised_at THEN 'late' ELSE 'in time' END AS lateness,
  COUNT(*) AS review_count,
  SUM(CAST(r.score AS BIGINT)) AS points,
  SUM(CASE WHEN r.score = 1 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS one_point_count
FROM orders.order_reviewed AS r
JOIN shipping.shipments AS s ON s.order_id = r.order_id
WHERE s.status = 'delivered'
GROUP BY CASE WHEN s.ended_at > s.promised_at THEN 'late' ELSE 'in time' END
