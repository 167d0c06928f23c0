-- The latest state of every order: the state topic carries it, the key's newest row wins.
SELECT
  order_id,
  customer_id,
  customer_state,
  status,
  placed_at,
  approved_at,
  shipped_at,
  delivered_at,
  cancelled_at,
  estimated_delivery,
  item_count,
  items_total,
  freight_total,
  order_total,
  paid_total,
  review_score,
  updated_at
FROM orders
