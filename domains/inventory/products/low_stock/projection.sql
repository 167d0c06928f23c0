-- What runs low. A stock that was filled leaves the table.
SELECT
  stock_id,
  seller_id,
  product_id,
  available,
  reorder_point,
  reorder_point - available AS missing,
  updated_at
FROM stock
WHERE available <= reorder_point
