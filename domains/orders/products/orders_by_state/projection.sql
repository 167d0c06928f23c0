-- Orders by state: the teaching example.
SELECT customer_state AS state, COUNT(*) AS order_count
FROM orders
GROUP BY customer_state
