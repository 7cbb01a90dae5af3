-- name: insert
-- A new link.
INSERT INTO portal_link (id, organization_id, intent, return_url, success_url, external_user_id, it_contact_emails,
                         secret_sha256, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: redeem
-- Opens a link; no row when it was opened or ended before. Of many who try at once, one gets the row.
UPDATE portal_link p SET redeemed_at = $2, session_id = $3, session_sha256 = $4, session_expires_at = $5
  FROM organization o
 WHERE p.id = $1 AND p.redeemed_at IS NULL AND p.revoked_at IS NULL AND p.expires_at > $2
   AND o.id = p.organization_id AND o.deleted_at IS NULL
RETURNING p.id, p.organization_id, p.intent, p.return_url, p.success_url, p.external_user_id, p.it_contact_emails,
          p.created_at, p.expires_at, p.redeemed_at, p.revoked_at, p.session_expires_at, o.name AS organization_name

-- name: session
-- An open session with its link.
SELECT p.id, p.organization_id, p.intent, p.return_url, p.success_url, p.external_user_id, p.it_contact_emails,
       p.created_at, p.expires_at, p.redeemed_at, p.revoked_at, p.session_expires_at, o.name AS organization_name
  FROM portal_link p JOIN organization o ON o.id = p.organization_id
 WHERE p.session_id = $1 AND p.revoked_at IS NULL AND p.session_expires_at > $2 AND o.deleted_at IS NULL

-- name: revoke
-- Ends what is open of one person: links that were not opened, sessions of those that were.
UPDATE portal_link p SET revoked_at = $3
 WHERE p.organization_id = $1 AND p.external_user_id = $2 AND p.revoked_at IS NULL
   AND (p.redeemed_at IS NULL AND p.expires_at > $3 OR p.session_expires_at > $3)
RETURNING p.id, p.session_id

-- name: delete_all
-- Forgets all links and sessions of an organization.
DELETE FROM portal_link p WHERE p.organization_id = $1

-- name: forget
-- Forgets some links that could be opened until this time or earlier.
DELETE FROM portal_link p USING (
  SELECT e.id FROM portal_link e WHERE e.expires_at <= $1 ORDER BY e.expires_at LIMIT $2) AS s
 WHERE p.id = s.id
