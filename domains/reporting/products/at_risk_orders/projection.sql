-- Two domains' states side by side: what the shop promised, and what became of it on the road.
SELECT
  o.order_id,
  o.customer_state,
  o.status AS order_status,
  s.carrier,
  s.promised_at,
  CASE
    WHEN s.status IN ('lost', 'returned') THEN s.status
    WHEN s.handed_over_at > s.promised_at THEN 'handed over late'
    WHEN s.handed_over_at IS NOT NULL AND o.paid_total IS NULL THEN 'sent unpaid'
    ELSE 'waiting for its carrier'
  END AS risk,
  o.order_total
FROM orders.orders AS o
JOIN shipping.shipments AS s ON s.order_id = o.order_id
WHERE o.status NOT IN ('delivered', 'cancelled')
  AND (
    s.status IN ('lost', 'returned')
    OR s.handed_over_at > s.promised_at
    OR (s.handed_over_at IS NOT NULL AND o.paid_total IS NULL)
    OR (s.status = 'planned' AND o.paid_total IS NOT NULL)
  )
