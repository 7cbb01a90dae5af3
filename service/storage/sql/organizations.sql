-- name: insert
-- A new organization.
INSERT INTO organization (id, name, external_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)

-- name: by_id
-- One organization within the bounds ($2: organizations, $3: directories; NULL is no bound).
SELECT o.id, o.name, o.external_id, o.created_at, o.updated_at
  FROM organization o
 WHERE o.id = $1 AND o.deleted_at IS NULL AND ($2::text[] IS NULL OR o.id = ANY ($2))
   AND ($3::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($3) AND d.state <> 'deleted'))

-- name: by_external_id
-- As by_id, by the application's own id.
SELECT o.id, o.name, o.external_id, o.created_at, o.updated_at
  FROM organization o
 WHERE o.external_id = $1 AND o.deleted_at IS NULL AND ($2::text[] IS NULL OR o.id = ANY ($2))
   AND ($3::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($3) AND d.state <> 'deleted'))

-- name: page
-- Organizations behind an id within the bounds, oldest first.
SELECT o.id, o.name, o.external_id, o.created_at, o.updated_at
  FROM organization o
 WHERE o.id > $1 AND o.deleted_at IS NULL AND ($3::text[] IS NULL OR o.id = ANY ($3))
   AND ($4::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($4) AND d.state <> 'deleted'))
 ORDER BY o.id LIMIT $2

-- name: page_by_name
-- As page, only those with exactly this name.
SELECT o.id, o.name, o.external_id, o.created_at, o.updated_at
  FROM organization o
 WHERE o.id > $1 AND o.deleted_at IS NULL AND o.name = $5 AND ($3::text[] IS NULL OR o.id = ANY ($3))
   AND ($4::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($4) AND d.state <> 'deleted'))
 ORDER BY o.id LIMIT $2

-- name: lock
-- Holds an organization against new directories and against its deletion.
SELECT o.id FROM organization o WHERE o.id = $1 AND o.deleted_at IS NULL FOR UPDATE

-- name: hold
-- Holds an organization against its deletion while a directory is made in it.
SELECT o.id FROM organization o WHERE o.id = $1 AND o.deleted_at IS NULL FOR KEY SHARE

-- name: count_directories
-- How many directories it has that are not deleted.
SELECT count(*) FROM directory d WHERE d.organization_id = $1 AND d.state <> 'deleted'

-- name: bury
-- Deletes an organization for everyone but the readers of its directories' last events. Its external id is free again.
UPDATE organization o SET deleted_at = $2, updated_at = $2, external_id = NULL WHERE o.id = $1

-- name: known
-- Which of these organizations exist.
SELECT o.id FROM organization o WHERE o.id = ANY ($1::text[]) AND o.deleted_at IS NULL
