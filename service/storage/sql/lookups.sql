-- name: user
-- One user by id, wherever it is.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
 WHERE NOT u.hidden AND u.id = $1

-- name: user_in_directory
-- One user by directory and id.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
 WHERE NOT u.hidden AND u.directory_id = $1 AND u.id = $2

-- name: users
-- Many users by id, within the bounds ($2: directories, $3: organizations; NULL is no bound).
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
 WHERE NOT u.hidden AND u.id = ANY ($1::text[]) AND ($2::text[] IS NULL OR u.directory_id = ANY ($2))
   AND ($3::text[] IS NULL OR u.organization_id = ANY ($3))

-- name: users_by_email
-- Users with an address, within the bounds. The index on addresses finds the few, the bounds choose among them. The
-- inner query is evaluated first, so that no order of ids can tempt the planner to read all users.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM (SELECT m.* FROM directory_user m WHERE m.email_keys @> ARRAY[$1::text] OFFSET 0) AS u
  JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
 WHERE NOT u.hidden AND ($2::text[] IS NULL OR u.directory_id = ANY ($2)) AND ($3::text[] IS NULL OR u.organization_id = ANY ($3))
 ORDER BY u.id LIMIT $4

-- name: users_by_user_key
-- Users with a userName in these directories.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM unnest($2::text[]) AS n (directory_id)
  JOIN directory d ON d.id = n.directory_id AND d.state <> 'deleted'
  JOIN directory_user u ON u.directory_id = n.directory_id AND u.user_key = $1 AND NOT u.hidden
 ORDER BY u.id LIMIT $3

-- name: users_by_user_key_anywhere
-- Users with a userName in any directory, found as users_by_email finds them.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM (SELECT m.* FROM directory_user m WHERE m.user_key || '' = $1 OFFSET 0) AS u
 CROSS JOIN LATERAL (SELECT FROM directory d WHERE d.id = u.directory_id AND d.state <> 'deleted' OFFSET 0) AS d
 WHERE NOT u.hidden
 ORDER BY u.id LIMIT $2

-- name: users_by_external_id
-- Users with a provider's id in these directories.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM unnest($2::text[]) AS n (directory_id)
  JOIN directory d ON d.id = n.directory_id AND d.state <> 'deleted'
  JOIN directory_user u ON u.directory_id = n.directory_id AND u.external_id = $1 AND NOT u.hidden
 ORDER BY u.id LIMIT $3

-- name: users_by_external_id_anywhere
-- Users with a provider's id in any directory, found as users_by_email finds them.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM (SELECT m.* FROM directory_user m WHERE m.external_id || '' = $1 AND m.external_id IS NOT NULL OFFSET 0) AS u
 CROSS JOIN LATERAL (SELECT FROM directory d WHERE d.id = u.directory_id AND d.state <> 'deleted' OFFSET 0) AS d
 WHERE NOT u.hidden
 ORDER BY u.id LIMIT $2

-- name: user_page
-- Users of a directory between two ids, in the order of arrival, or from its end (directed).
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u WHERE u.directory_id = $1 AND u.id > $2 AND u.id < $3 AND NOT u.hidden
 ORDER BY u.id ASC LIMIT $4

-- name: user_page_by_state
-- As user_page, only active or only inactive ones.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u
 WHERE u.directory_id = $1 AND u.id > $2 AND u.id < $3 AND NOT u.hidden AND u.active = $5
 ORDER BY u.id ASC LIMIT $4

-- name: group
-- One group by id, wherever it is.
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at,
       g.updated_at
  FROM directory_group g JOIN directory d ON d.id = g.directory_id AND d.state <> 'deleted'
 WHERE g.id = $1

-- name: group_in_directory
-- One group by directory and id.
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at,
       g.updated_at
  FROM directory_group g JOIN directory d ON d.id = g.directory_id AND d.state <> 'deleted'
 WHERE g.directory_id = $1 AND g.id = $2

-- name: group_page
-- Groups of a directory between two ids, in the order of arrival, or from its end (directed).
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at,
       g.updated_at
  FROM directory_group g WHERE g.directory_id = $1 AND g.id > $2 AND g.id < $3 ORDER BY g.id ASC LIMIT $4

-- name: place_of_group
-- Where a group is and what it is called, without its document.
SELECT g.directory_id, g.organization_id, g.display_name AS name
  FROM directory_group g JOIN directory d ON d.id = g.directory_id AND d.state <> 'deleted'
 WHERE g.id = $1

-- name: place_of_user
-- As place_of_group.
SELECT u.directory_id, u.organization_id, u.user_name AS name
  FROM directory_user u JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
 WHERE NOT u.hidden AND u.id = $1

-- name: member_page
-- Members of a group between two ids, with their names, or from the end (directed). Each name is probed for (OFFSET 0): a
-- plan for directories in general would read all users of the one.
SELECT m.group_id, $6::text AS group_name, m.member_id, m.member_type, m.created_at,
       coalesce(u.user_name, g.display_name) AS member_name
  FROM membership m
  LEFT JOIN LATERAL (SELECT x.user_name, x.hidden FROM directory_user x
                      WHERE x.directory_id = $1 AND x.id = m.member_id OFFSET 0) AS u ON true
  LEFT JOIN LATERAL (SELECT x.display_name FROM directory_group x
                      WHERE x.directory_id = $1 AND x.id = m.member_id OFFSET 0) AS g ON true
 WHERE m.directory_id = $1 AND m.group_id = $2 AND m.member_id > $3 AND m.member_id < $4 AND u.hidden IS NOT TRUE
 ORDER BY m.member_id ASC LIMIT $5

-- name: membership_page
-- Memberships of a directory behind a group and member, with names, each probed for as in member_page.
SELECT m.group_id, g.display_name AS group_name, m.member_id, m.member_type, m.created_at,
       coalesce(u.user_name, n.display_name) AS member_name
  FROM membership m
 CROSS JOIN LATERAL (SELECT x.display_name FROM directory_group x
                      WHERE x.directory_id = $1 AND x.id = m.group_id OFFSET 0) AS g
  LEFT JOIN LATERAL (SELECT x.user_name, x.hidden FROM directory_user x
                      WHERE x.directory_id = $1 AND x.id = m.member_id OFFSET 0) AS u ON true
  LEFT JOIN LATERAL (SELECT x.display_name FROM directory_group x
                      WHERE x.directory_id = $1 AND x.id = m.member_id OFFSET 0) AS n ON true
 WHERE m.directory_id = $1 AND (m.group_id, m.member_id) > ($2::text, $3::text) AND u.hidden IS NOT TRUE
 ORDER BY m.group_id, m.member_id LIMIT $4

-- name: membership_update_times
-- When each of these users last joined or left a group, of those that ever did.
SELECT k.id, greatest(j.at, l.at) AS at
  FROM unnest($1::text[], $2::text[]) AS k (directory_id, id)
 CROSS JOIN LATERAL (SELECT max(m.created_at) AS at FROM membership m
                      WHERE m.directory_id = k.directory_id AND m.member_id = k.id OFFSET 0) AS j
  LEFT JOIN LATERAL (SELECT e.ended_at AS at FROM ended_membership e WHERE e.directory_id = k.directory_id
                        AND e.member_id = k.id ORDER BY e.ended_seq DESC LIMIT 1) AS l ON true
 WHERE j.at IS NOT NULL OR l.at IS NOT NULL

-- name: user_groups_page
-- Groups that a user is a direct member of, between two ids, or from the end (directed).
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at,
       g.updated_at
  FROM membership m JOIN directory_group g ON g.directory_id = $1 AND g.id = m.group_id
 WHERE m.directory_id = $1 AND m.member_id = $2 AND m.group_id > $3 AND m.group_id < $4
 ORDER BY m.group_id ASC LIMIT $5

-- name: groups_of_users
-- Direct groups of many users within the bounds ($2: directories, $3: organizations; NULL is no bound), at most $4 for each
-- user: a row for each user with the ids, and a row for each of these groups, at most $5. In one statement, so that no
-- group goes between the two.
WITH places AS MATERIALIZED (
  SELECT u.directory_id, u.id, ARRAY(SELECT m.group_id FROM membership m
                                      WHERE m.directory_id = u.directory_id AND m.member_id = u.id
                                      ORDER BY m.group_id LIMIT $4) AS group_ids
    FROM directory_user u JOIN directory d ON d.id = u.directory_id AND d.state <> 'deleted'
   WHERE NOT u.hidden AND u.id = ANY ($1::text[]) AND ($2::text[] IS NULL OR u.directory_id = ANY ($2))
     AND ($3::text[] IS NULL OR u.organization_id = ANY ($3))
)
SELECT p.group_ids, NULL::text AS directory_id, NULL::text AS organization_id, p.id, NULL::text AS document,
       NULL::text AS idp_id, NULL::bigint AS version, NULL::timestamptz AS created_at, NULL::timestamptz AS updated_at
  FROM places p
UNION ALL
SELECT NULL, g.directory_id, g.organization_id, g.id, g.document::text, g.idp_id, g.version, g.created_at, g.updated_at
  FROM (SELECT DISTINCT p.directory_id, i.id FROM places p, unnest(p.group_ids) AS i (id) LIMIT $5) AS k
 CROSS JOIN LATERAL (SELECT x.* FROM directory_group x WHERE x.directory_id = k.directory_id AND x.id = k.id OFFSET 0) AS g

-- name: effective_user_groups_page
-- Groups that a user is a member of, directly or by way of other groups, behind an id. UNION takes each group once, which
-- ends cycles; the work is bounded by the memberships between groups, however deep they are.
WITH RECURSIVE above (id) AS (
  SELECT m.group_id FROM membership m WHERE m.directory_id = $1 AND m.member_id = $2
  UNION
  SELECT m.group_id FROM above a
   CROSS JOIN LATERAL (SELECT x.group_id FROM membership x WHERE x.directory_id = $1 AND x.member_id = a.id OFFSET 0) AS m
)
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at,
       g.updated_at
  FROM (SELECT a.id FROM above a WHERE a.id > $3 ORDER BY a.id LIMIT $4) AS p
 CROSS JOIN LATERAL (SELECT x.* FROM directory_group x WHERE x.directory_id = $1 AND x.id = p.id OFFSET 0) AS g
 ORDER BY g.id

-- name: effective_member_page
-- Users that are in a group, directly or by way of groups inside it, behind an id; each once, since its oldest membership
-- of these. Groups inside a group are found by the beginning of their ids, without reading its users; of each group a page
-- is read at most.
WITH RECURSIVE below (id) AS (
  SELECT $2::text COLLATE "C"
  UNION
  SELECT m.member_id FROM below b
   CROSS JOIN LATERAL (SELECT x.member_id FROM membership x
                        WHERE x.directory_id = $1 AND x.group_id = b.id AND x.member_id >= 'directory_group_'
                          AND x.member_id < 'directory_group`' OFFSET 0) AS m
), page AS (
  SELECT f.member_id, min(f.created_at) AS created_at, min(f.user_name) AS member_name
    FROM below b
   CROSS JOIN LATERAL (
     SELECT m.member_id, m.created_at, u.user_name
       FROM membership m
      CROSS JOIN LATERAL (SELECT x.user_name FROM directory_user x WHERE x.directory_id = $1 AND x.id = m.member_id
                             AND NOT x.hidden OFFSET 0) AS u
      WHERE m.directory_id = $1 AND m.group_id = b.id AND m.member_id > $3 AND m.member_type = 'User'
      ORDER BY m.member_id LIMIT $4) AS f
   GROUP BY f.member_id ORDER BY f.member_id LIMIT $4
)
SELECT $2::text AS group_id, $5::text AS group_name, p.member_id, 'User' AS member_type, p.created_at, p.member_name
  FROM page p ORDER BY p.member_id

-- name: epoch
-- Which database this is.
SELECT epoch FROM feed_state WHERE id = 1
