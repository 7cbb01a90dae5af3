-- name: by_digest
-- Live credentials by the SHA-256 of their secrets: API keys, tokens of directories that are not deleted, links to the
-- portal that nobody opened yet, and sessions of those that were opened.
SELECT k.secret_sha256, k.id, NULL AS directory_id, k.scopes, k.organization_ids, k.directory_ids, k.expires_at,
       k.membership_update_time
  FROM api_key k
 WHERE k.secret_sha256 = ANY ($1::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
UNION ALL
SELECT t.secret_sha256, t.id, t.directory_id, '{provision}', '{}', ARRAY[t.directory_id]::text[], t.expires_at, false
  FROM directory_token t JOIN directory d ON d.id = t.directory_id
 WHERE t.secret_sha256 = ANY ($1::bytea[]) AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
   AND d.state <> 'deleted'
UNION ALL
SELECT p.secret_sha256, p.id, NULL, '{setup}', ARRAY[p.organization_id]::text[], '{}', p.expires_at, false
  FROM portal_link p
 WHERE p.secret_sha256 = ANY ($1::bytea[]) AND p.redeemed_at IS NULL AND p.revoked_at IS NULL AND p.expires_at > $2
UNION ALL
SELECT s.session_sha256, s.session_id, NULL, '{setup}', ARRAY[s.organization_id]::text[], '{}', s.session_expires_at, false
  FROM portal_link s
 WHERE s.session_sha256 = ANY ($1::bytea[]) AND s.revoked_at IS NULL AND s.session_expires_at > $2

-- name: live
-- Which of these are still good: API keys and sessions of the portal by id, tokens by directory and id.
SELECT k.id FROM api_key k
 WHERE k.id = ANY ($2::text[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
UNION ALL
SELECT s.session_id FROM portal_link s
 WHERE s.session_id = ANY ($2::text[]) AND s.revoked_at IS NULL AND s.session_expires_at > $3
UNION ALL
SELECT t.id
  FROM unnest($1::text[], $2::text[]) AS n (directory_id, id)
  JOIN directory_token t ON t.directory_id = n.directory_id AND t.id = n.id
  JOIN directory d ON d.id = t.directory_id
 WHERE t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $3) AND d.state <> 'deleted'

-- name: touch_api_keys
-- Notes the use of API keys, unless another process noted one within the last minute or is about to.
UPDATE api_key k SET last_used_at = u.at
  FROM (SELECT l.id, n.at
          FROM unnest($1::text[], $2::timestamptz[]) AS n (id, at) JOIN api_key l ON l.id = n.id
         WHERE l.last_used_at IS NULL OR l.last_used_at < n.at - interval '1 minute'
           FOR NO KEY UPDATE OF l SKIP LOCKED) AS u
 WHERE k.id = u.id

-- name: touch_tokens
-- As for API keys.
UPDATE directory_token t SET last_used_at = u.at
  FROM (SELECT l.directory_id, l.id, n.at
          FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n (directory_id, id, at)
          JOIN directory_token l ON l.directory_id = n.directory_id AND l.id = n.id
         WHERE l.last_used_at IS NULL OR l.last_used_at < n.at - interval '1 minute'
           FOR NO KEY UPDATE OF l SKIP LOCKED) AS u
 WHERE t.directory_id = u.directory_id AND t.id = u.id

-- name: announce
-- Tells every process which API keys, tokens or directories changed, once the transaction has committed. Only
-- administrators' calls do this: NOTIFY takes a lock that all committing notifiers share.
SELECT pg_notify('directorysync_credentials', n.id) FROM unnest($1::text[]) AS n (id)
