-- Cancellations; a payment that had been confirmed is to be refunded.
SELECT order_id, customer_state, cancelled_at, reason, paid AS refund_due
FROM order_cancelled
