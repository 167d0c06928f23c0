SELECT s.state AS region, s.orders, s.revenue
FROM orders.orders_by_state AS s
WHERE s.orders > 10
