-- The latest state of every stock.
SELECT
  stock_id,
  seller_id,
  product_id,
  on_hand,
  reserved,
  available,
  reorder_point,
  open_reservations,
  updated_at
FROM stock
