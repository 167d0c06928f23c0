-- Whatever has not ended.
SELECT
  shipment_id,
  order_id,
  carrier,
  status,
  destination_state,
  promised_at,
  planned_at,
  handed_over_at
FROM shipments
WHERE ended_at IS NULL
