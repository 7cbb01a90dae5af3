-- name: insert
-- A new organization.
INSERT INTO organization (id, name, external_id, metadata, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)

-- name: insert_domains
-- New domains of an organization.
INSERT INTO organization_domain (id, organization_id, domain, verified, created_at, updated_at)
SELECT n.id, $1, n.domain, n.verified, n.created_at, n.updated_at
  FROM unnest($2::text[], $3::text[], $4::bool[], $5::timestamptz[], $6::timestamptz[])
       AS n (id, domain, verified, created_at, updated_at)

-- name: by_id
-- One organization within the bounds ($2: organizations, $3: directories; NULL is no bound).
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o
 WHERE o.id = $1 AND o.deleted_at IS NULL AND ($2::text[] IS NULL OR o.id = ANY ($2))
   AND ($3::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($3) AND d.state <> 'deleted'))

-- name: by_external_id
-- As by_id, by the application's own id.
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o
 WHERE o.external_id = $1 AND o.deleted_at IS NULL AND ($2::text[] IS NULL OR o.id = ANY ($2))
   AND ($3::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($3) AND d.state <> 'deleted'))

-- name: by_domain_id
-- As by_id, by the id of one of its domains.
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization_domain n JOIN organization o ON o.id = n.organization_id
 WHERE n.id = $1 AND o.deleted_at IS NULL AND ($2::text[] IS NULL OR o.id = ANY ($2))
   AND ($3::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($3) AND d.state <> 'deleted'))

-- name: page
-- Organizations between two ids within the bounds ($4: organizations, $5: directories; NULL is no bound) whose name holds a
-- folded text (NULL: any), oldest first, or from the end (directed).
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o
 WHERE o.id > $1 AND o.id < $2 AND o.deleted_at IS NULL AND ($4::text[] IS NULL OR o.id = ANY ($4))
   AND ($5::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($5) AND d.state <> 'deleted'))
   AND ($6::text IS NULL OR strpos(fold_v1(o.name) COLLATE "C", $6) > 0)
 ORDER BY o.id ASC LIMIT $3

-- name: page_by_name
-- As page, only those with exactly this name.
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o
 WHERE o.name = $7 AND o.id > $1 AND o.id < $2 AND o.deleted_at IS NULL AND ($4::text[] IS NULL OR o.id = ANY ($4))
   AND ($5::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($5) AND d.state <> 'deleted'))
   AND ($6::text IS NULL OR strpos(fold_v1(o.name) COLLATE "C", $6) > 0)
 ORDER BY o.id ASC LIMIT $3

-- name: page_by_domain
-- As page, only those with one of these domains, and with this name (NULL: any).
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o
 WHERE o.id = ANY (ARRAY(SELECT n.organization_id FROM organization_domain n WHERE n.domain = ANY ($8::text[])))
   AND o.id > $1 AND o.id < $2 AND o.deleted_at IS NULL AND ($4::text[] IS NULL OR o.id = ANY ($4))
   AND ($5::text[] IS NULL OR EXISTS (
         SELECT FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($5) AND d.state <> 'deleted'))
   AND ($6::text IS NULL OR strpos(fold_v1(o.name) COLLATE "C", $6) > 0) AND ($7::text IS NULL OR o.name = $7)
 ORDER BY o.id ASC LIMIT $3

-- name: lock
-- Holds an organization against new directories, other changes and its deletion.
SELECT o.id FROM organization o WHERE o.id = $1 AND o.deleted_at IS NULL FOR UPDATE

-- name: locked
-- One that is held. In a statement of its own: the one that waited would see the domains from before its wait.
SELECT o.id, o.name, o.external_id, o.metadata, o.created_at, o.updated_at,
       ARRAY(SELECT m FROM organization_domain m WHERE m.organization_id = o.id ORDER BY m.id) AS domains
  FROM organization o WHERE o.id = $1

-- name: hold
-- Holds an organization against its deletion while something is made in it.
SELECT o.id FROM organization o WHERE o.id = $1 AND o.deleted_at IS NULL FOR KEY SHARE

-- name: update
-- New name, external id and notes.
UPDATE organization o SET name = $2, external_id = $3, metadata = $4, updated_at = $5 WHERE o.id = $1

-- name: delete_domains
-- Takes from an organization the domains that are not among these.
DELETE FROM organization_domain m WHERE m.organization_id = $1 AND m.id <> ALL ($2::text[])

-- name: update_domains
-- Whether domains are verified.
UPDATE organization_domain m SET verified = n.verified, updated_at = n.updated_at
  FROM unnest($2::text[], $3::bool[], $4::timestamptz[]) AS n (id, verified, updated_at)
 WHERE m.organization_id = $1 AND m.id = n.id

-- name: count_directories
-- How many directories it has that are not deleted.
SELECT count(*) FROM directory d WHERE d.organization_id = $1 AND d.state <> 'deleted'

-- name: bury
-- Deletes an organization for everyone but the readers of its directories' last events. Its external id is free again.
UPDATE organization o SET deleted_at = $2, updated_at = $2, external_id = NULL, metadata = '{}' WHERE o.id = $1

-- name: known
-- Which of these organizations exist.
SELECT o.id FROM organization o WHERE o.id = ANY ($1::text[]) AND o.deleted_at IS NULL
