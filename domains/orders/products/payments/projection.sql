-- Confirmed payments.
SELECT order_id, customer_state, confirmed_at, payment_count, main_type, installments, total
FROM payment_confirmed
