-- Revenue of each hour, by the moment of sale.
SELECT window_start, window_end, COUNT(*) AS items, SUM(price) AS revenue, SUM(freight) AS freight
FROM TABLE(TUMBLE(TABLE order_item_sold, DESCRIPTOR(sold_at), INTERVAL '1' HOUR))
GROUP BY window_start, window_end
