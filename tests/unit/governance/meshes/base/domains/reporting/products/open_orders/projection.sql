SELECT status, COUNT(*) AS orders
FROM orders.orders
GROUP BY status
