-- Customers by state.
SELECT state, COUNT(*) AS customer_count
FROM customers
GROUP BY state
