SELECT state, COUNT(*) AS orders, SUM(total) AS revenue
FROM order_placed
GROUP BY state
