-- The latest state of every customer; personal fields stay ciphertext.
SELECT customer_id, name, email, street, postal_code, city, state, registered_at, updated_at
FROM customers
