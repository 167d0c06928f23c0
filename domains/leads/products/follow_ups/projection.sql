-- Who is to be called.
SELECT lead_id, origin, status, follow_up_at, captured_at
FROM leads
WHERE ended_at IS NULL AND follow_up_at IS NOT NULL
