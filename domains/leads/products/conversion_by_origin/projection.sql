-- The funnel of each channel.
SELECT
  origin,
  COUNT(*) AS captured_count,
  SUM(CASE WHEN qualified_at IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS qualified_count,
  SUM(CASE WHEN status = 'won' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS won_count,
  SUM(CASE WHEN status = 'discarded' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS discarded_count
FROM leads
GROUP BY origin
