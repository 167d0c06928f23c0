-- Revenue of each category.
SELECT
  COALESCE(category, 'unknown') AS category,
  COUNT(*) AS items,
  SUM(price) AS revenue,
  SUM(freight) AS freight
FROM order_item_sold
GROUP BY COALESCE(category, 'unknown')
