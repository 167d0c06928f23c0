-- Sales of sellers who were leads, from the moment they were won.
SELECT
  l.party_id AS seller_id,
  l.origin,
  COUNT(*) AS item_count,
  SUM(i.price) AS revenue
FROM leads.leads AS l
JOIN orders.order_item_sold AS i ON i.seller_id = l.party_id
WHERE l.party = 'seller' AND i.sold_at >= l.ended_at
GROUP BY l.party_id, l.origin
