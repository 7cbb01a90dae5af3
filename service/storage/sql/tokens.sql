-- name: insert
-- A new token.
INSERT INTO directory_token (directory_id, id, secret_sha256, suffix, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: of_directory
-- All tokens of a directory, oldest first.
SELECT t.directory_id, t.id, t.suffix, t.created_at, t.expires_at, t.last_used_at, t.revoked_at
  FROM directory_token t WHERE t.directory_id = $1 ORDER BY t.id

-- name: forget
-- Removes the oldest ended tokens beyond the number that is kept, so that a new one has room.
DELETE FROM directory_token t USING (
  SELECT e.id FROM directory_token e
   WHERE e.directory_id = $1 AND (e.revoked_at IS NOT NULL OR e.expires_at <= $3)
   ORDER BY e.id
   LIMIT greatest(0, (SELECT count(*) FROM directory_token a WHERE a.directory_id = $1) - $2)) AS s
 WHERE t.directory_id = $1 AND t.id = s.id

-- name: count
-- How many are kept.
SELECT count(*) FROM directory_token t WHERE t.directory_id = $1

-- name: revoke
-- Ends a token; no row when it was ended before.
UPDATE directory_token t SET revoked_at = $3 WHERE t.directory_id = $1 AND t.id = $2 AND t.revoked_at IS NULL
RETURNING t.directory_id, t.id, t.suffix, t.created_at, t.expires_at, t.last_used_at, t.revoked_at

-- name: by_id
-- One token.
SELECT t.directory_id, t.id, t.suffix, t.created_at, t.expires_at, t.last_used_at, t.revoked_at
  FROM directory_token t WHERE t.directory_id = $1 AND t.id = $2

-- name: revoke_all
-- Ends all tokens of directories.
UPDATE directory_token t SET revoked_at = $2 WHERE t.directory_id = ANY ($1::text[]) AND t.revoked_at IS NULL
