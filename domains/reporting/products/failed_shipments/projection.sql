-- Counts of a notification; the link leads to the shipment itself.
SELECT
  DATE_FORMAT(failed_at, 'yyyy-MM-dd') AS failure_day,
  how,
  COUNT(*) AS failed_count,
  MAX(link) AS latest_link
FROM shipping.shipment_failed
GROUP BY DATE_FORMAT(failed_at, 'yyyy-MM-dd'), how
