-- What became of the shipments of each carrier and origin.
SELECT
  carrier,
  COALESCE(origin_state, 'unknown') AS origin_state,
  COUNT(*) AS carried_count,
  SUM(CASE WHEN status = 'delivered' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS delivered_count,
  SUM(CASE WHEN status = 'delivered' AND ended_at > promised_at THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS late_count,
  SUM(CASE WHEN status = 'lost' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS lost_count,
  SUM(CASE WHEN status = 'returned' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS returned_count
FROM shipments
WHERE handed_over_at IS NOT NULL
GROUP BY carrier, COALESCE(origin_state, 'unknown')
