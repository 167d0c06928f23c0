SELECT customer_id, email, state
FROM customers
