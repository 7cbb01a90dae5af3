-- name: user
-- One user of a directory.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u WHERE u.directory_id = $1 AND u.id = $2

-- name: group
-- One group of a directory.
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at, g.updated_at
  FROM directory_group g WHERE g.directory_id = $1 AND g.id = $2

-- name: user_groups
-- Groups that a user is a direct member of. `nested`: whether any group of the directory is in another. Ids of groups begin
-- with `directory_group_`, so that is one probe.
SELECT g.id, g.display_name,
       EXISTS (SELECT FROM membership n WHERE n.directory_id = $1 AND n.member_id >= 'directory_group_'
                                          AND n.member_id < 'directory_group`') AS nested
  FROM membership m, LATERAL (SELECT x.id, x.display_name FROM directory_group x
                               WHERE x.directory_id = $1 AND x.id = m.group_id OFFSET 0) AS g
 WHERE m.directory_id = $1 AND m.member_id = $2 ORDER BY g.id

-- name: members
-- Members of a group with their names. Each name is probed for (OFFSET 0): a plan for directories in general would read
-- all users of the one.
SELECT m.member_id, m.member_type, coalesce(m.display, u.user_name, g.display_name) AS name
  FROM membership m
  LEFT JOIN LATERAL (SELECT x.user_name FROM directory_user x WHERE x.directory_id = $1 AND x.id = m.member_id
                     OFFSET 0) AS u ON true
  LEFT JOIN LATERAL (SELECT x.display_name FROM directory_group x WHERE x.directory_id = $1 AND x.id = m.member_id
                     OFFSET 0) AS g ON true
 WHERE m.directory_id = $1 AND m.group_id = $2 ORDER BY m.member_id LIMIT $3

-- name: indirect_groups
-- Groups that users are in by way of other groups and not directly, at most $3 rows. UNION takes each group once for each
-- user, which ends cycles. Direct ones are probed for: as NOT EXISTS, all memberships would be read in general.
WITH RECURSIVE above (holder, id) AS (
  SELECT m.member_id, m.group_id FROM membership m WHERE m.directory_id = $1 AND m.member_id = ANY ($2::text[])
  UNION
  SELECT a.holder, m.group_id FROM above a
   CROSS JOIN LATERAL (SELECT x.group_id FROM membership x WHERE x.directory_id = $1 AND x.member_id = a.id OFFSET 0) AS m
)
SELECT a.holder, g.id, g.display_name
  FROM above a, LATERAL (SELECT x.id, x.display_name FROM directory_group x
                          WHERE x.directory_id = $1 AND x.id = a.id OFFSET 0) AS g
 WHERE (SELECT true FROM membership d WHERE d.directory_id = $1 AND d.group_id = a.id AND d.member_id = a.holder) IS NULL
 ORDER BY a.holder, g.id LIMIT $3
