-- name: insert
-- A new directory, not yet reached by its provider.
INSERT INTO directory (id, organization_id, name, provider, state, scim_key, created_at, updated_at)
VALUES ($1, $2, $3, $4, 'unlinked', $5, $6, $6)

-- name: resolve
-- Directories that are not deleted, by id or by the key of their SCIM base URL.
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at
  FROM directory d WHERE d.id = ANY ($1::text[]) AND d.state <> 'deleted'
UNION ALL
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at
  FROM directory d WHERE d.scim_key = ANY ($1::text[]) AND d.state <> 'deleted'

-- name: with_counts
-- One directory with the number of its newest event and how many users and groups it has.
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at, h.seq,
       u.users, u.inactive, (SELECT count(*) FROM directory_group g WHERE g.directory_id = d.id) AS groups
  FROM directory d JOIN head h ON h.directory_id = d.id
 CROSS JOIN LATERAL (SELECT count(*) AS users, count(*) FILTER (WHERE NOT x.active) AS inactive
                       FROM directory_user x WHERE x.directory_id = d.id AND NOT x.hidden) AS u
 WHERE d.id = $1 AND d.state <> 'deleted'

-- name: page
-- Directories between two ids within the bounds ($4: directories, $5: organizations; NULL is no bound) whose name holds a
-- folded text (NULL: any), oldest first, or from the end (directed).
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at, h.seq
  FROM directory d JOIN head h ON h.directory_id = d.id
 WHERE d.id > $1 AND d.id < $2 AND d.state <> 'deleted' AND ($4::text[] IS NULL OR d.id = ANY ($4))
   AND ($5::text[] IS NULL OR d.organization_id = ANY ($5))
   AND ($6::text IS NULL OR strpos(fold_v1(d.name) COLLATE "C", $6) > 0)
 ORDER BY d.id ASC LIMIT $3

-- name: page_of_organization
-- As page, of one organization.
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at, h.seq
  FROM directory d JOIN head h ON h.directory_id = d.id
 WHERE d.organization_id = $7 AND d.id > $1 AND d.id < $2 AND d.state <> 'deleted'
   AND ($4::text[] IS NULL OR d.id = ANY ($4)) AND ($5::text[] IS NULL OR d.organization_id = ANY ($5))
   AND ($6::text IS NULL OR strpos(fold_v1(d.name) COLLATE "C", $6) > 0)
 ORDER BY d.id ASC LIMIT $3

-- name: of_organizations
-- Ids of the directories of these organizations.
SELECT d.id FROM directory d WHERE d.organization_id = ANY ($1::text[]) AND d.state <> 'deleted'

-- name: first_of_organization
-- Ids of its first directories.
SELECT d.id FROM directory d WHERE d.organization_id = $1 AND d.state <> 'deleted' ORDER BY d.id LIMIT $2

-- name: lock
-- Holds the settings of a directory; lock its head after it, never before.
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at,
       d.linked_at, (SELECT h.seq FROM head h WHERE h.directory_id = d.id) AS seq
  FROM directory d WHERE d.id = $1 AND d.state <> 'deleted' FOR NO KEY UPDATE

-- name: update
-- New settings.
UPDATE directory d SET name = $2, provider = $3, state = $4, updated_at = $5, policy = $6 WHERE d.id = $1

-- name: link
-- The first contact of its provider; no row when somebody was faster or the directory is not waiting for it.
UPDATE directory d SET state = 'linked', linked_at = $2, updated_at = $2
 WHERE d.id = $1 AND d.state = 'unlinked'
RETURNING d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at

-- name: bury
-- Marks directories as deleted; no row for those that are already. They are held in the order of their ids first: two who
-- delete the same ones would else wait for each other.
WITH held AS (
  SELECT h.id FROM directory h WHERE h.id = ANY ($1::text[]) AND h.state <> 'deleted' ORDER BY h.id FOR NO KEY UPDATE)
UPDATE directory d SET state = 'deleted', deleted_at = $2, updated_at = $2 FROM held WHERE d.id = held.id
RETURNING d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at

-- name: unpurged
-- Deleted directories of which something is left, because the process that deleted them was stopped.
SELECT d.id FROM directory d
 WHERE d.state = 'deleted'
   AND (EXISTS (SELECT FROM directory_user u WHERE u.directory_id = d.id)
     OR EXISTS (SELECT FROM directory_group g WHERE g.directory_id = d.id)
     OR EXISTS (SELECT FROM membership m WHERE m.directory_id = d.id)
     OR EXISTS (SELECT FROM ended_membership m WHERE m.directory_id = d.id)
     OR EXISTS (SELECT FROM directory_diagnostic m WHERE m.directory_id = d.id)
     OR EXISTS (SELECT FROM pending_member m WHERE m.directory_id = d.id))

-- name: purge_memberships
-- Some memberships of a deleted directory, in the order of the key.
DELETE FROM membership m USING (
  SELECT p.group_id, p.member_id FROM membership p WHERE p.directory_id = $1
   ORDER BY p.group_id, p.member_id LIMIT $2) AS s
 WHERE m.directory_id = $1 AND m.group_id = s.group_id AND m.member_id = s.member_id

-- name: purge_ended
-- Some memberships of a deleted directory that had ended before.
DELETE FROM ended_membership m USING (
  SELECT p.group_id, p.member_id, p.ended_seq FROM ended_membership p WHERE p.directory_id = $1
   ORDER BY p.group_id, p.member_id, p.ended_seq LIMIT $2) AS s
 WHERE m.directory_id = $1 AND m.group_id = s.group_id AND m.member_id = s.member_id AND m.ended_seq = s.ended_seq

-- name: purge_pending
-- Some references of a deleted directory that wait for their member.
DELETE FROM pending_member m USING (
  SELECT p.group_id, p.value FROM pending_member p WHERE p.directory_id = $1 ORDER BY p.group_id, p.value LIMIT $2) AS s
 WHERE m.directory_id = $1 AND m.group_id = s.group_id AND m.value = s.value

-- name: purge_diagnostics
-- Some diagnostics of a deleted directory.
DELETE FROM directory_diagnostic m USING (
  SELECT p.resource_type, p.path, p.reason FROM directory_diagnostic p WHERE p.directory_id = $1
   ORDER BY p.resource_type, p.path, p.reason LIMIT $2) AS s
 WHERE m.directory_id = $1 AND m.resource_type = s.resource_type AND m.path = s.path AND m.reason = s.reason

-- name: purge_users
-- Some users of a deleted directory.
DELETE FROM directory_user u USING (
  SELECT p.id FROM directory_user p WHERE p.directory_id = $1 ORDER BY p.id LIMIT $2) AS s
 WHERE u.directory_id = $1 AND u.id = s.id

-- name: purge_groups
-- Some groups of a deleted directory.
DELETE FROM directory_group g USING (
  SELECT p.id FROM directory_group p WHERE p.directory_id = $1 ORDER BY p.id LIMIT $2) AS s
 WHERE g.directory_id = $1 AND g.id = s.id

-- name: known
-- Which of these directories exist.
SELECT d.id FROM directory d WHERE d.id = ANY ($1::text[]) AND d.state <> 'deleted'
