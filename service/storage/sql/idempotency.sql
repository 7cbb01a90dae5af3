-- name: claim
-- Claims a key of a caller; no row when it is claimed already. Waits for a call with the same key that is under way. What
-- is older than $5 has ended: it is claimed anew.
INSERT INTO idempotent_call AS c (caller_id, key_sha256, request_sha256, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (caller_id, key_sha256) DO UPDATE
   SET request_sha256 = excluded.request_sha256, response = NULL, created_at = excluded.created_at
 WHERE c.created_at <= $5
RETURNING true

-- name: find
-- What a claimed key was used for, and the answer.
SELECT c.request_sha256, c.response FROM idempotent_call c WHERE c.caller_id = $1 AND c.key_sha256 = $2

-- name: answer
-- Stores the answer of the call that claimed the key.
UPDATE idempotent_call c SET response = $3 WHERE c.caller_id = $1 AND c.key_sha256 = $2

-- name: forget
-- Forgets some answers from this time or before.
DELETE FROM idempotent_call c USING (
  SELECT e.caller_id, e.key_sha256 FROM idempotent_call e WHERE e.created_at <= $1 ORDER BY e.created_at LIMIT $2) AS s
 WHERE c.caller_id = s.caller_id AND c.key_sha256 = s.key_sha256
