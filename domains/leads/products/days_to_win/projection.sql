-- Days from the first contact to the deal.
SELECT
  origin,
  COALESCE(segment, 'unknown') AS segment,
  COUNT(*) AS won_count,
  SUM(CAST(days_to_win AS BIGINT)) AS days_total,
  MIN(days_to_win) AS fastest,
  MAX(days_to_win) AS slowest
FROM lead_won
GROUP BY origin, COALESCE(segment, 'unknown')
