-- Deltas on a compacted topic: each part of a stock by its own key, gone when it is deleted there.
SELECT stock_id, reservation_id, seller_id, product_id, quantity, reserved_at, stock_version
FROM reservations
