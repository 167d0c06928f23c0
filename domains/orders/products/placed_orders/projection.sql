-- The intake of orders, as placed.
SELECT order_id, customer_id, customer_state, placed_at, item_count, order_total, estimated_delivery
FROM order_placed
