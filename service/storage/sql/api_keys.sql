-- name: insert
-- A new key.
INSERT INTO api_key (id, name, secret_sha256, suffix, scopes, organization_ids, directory_ids, created_at, expires_at,
                     membership_update_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: insert_missing
-- A key whose secret somebody else chose; nothing happens when it is there already.
INSERT INTO api_key (id, name, secret_sha256, suffix, scopes, organization_ids, directory_ids, created_at)
VALUES ($1, $2, $3, $4, $5, '{}', '{}', $6)
ON CONFLICT (secret_sha256) DO NOTHING

-- name: by_digest
-- One key by the SHA-256 of its secret, revoked or not.
SELECT id, name, scopes, organization_ids, directory_ids, suffix, created_at, expires_at, last_used_at, revoked_at,
       membership_update_time
  FROM api_key WHERE secret_sha256 = $1

-- name: page
-- Keys behind an id, oldest first.
SELECT id, name, scopes, organization_ids, directory_ids, suffix, created_at, expires_at, last_used_at, revoked_at,
       membership_update_time
  FROM api_key WHERE id > $1 ORDER BY id LIMIT $2

-- name: revoke
-- Ends a key. The time of the first revocation stays.
UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1
RETURNING id, name, scopes, organization_ids, directory_ids, suffix, created_at, expires_at, last_used_at, revoked_at,
       membership_update_time
