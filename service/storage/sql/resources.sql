-- name: user
-- One user of a directory.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at
  FROM directory_user u WHERE u.directory_id = $1 AND u.id = $2

-- name: group
-- One group of a directory.
SELECT g.directory_id, g.organization_id, g.id, g.document::text AS document, g.idp_id, g.version, g.created_at, g.updated_at
  FROM directory_group g WHERE g.directory_id = $1 AND g.id = $2

-- name: user_groups
-- Groups that a user, or a group, is a direct member of.
SELECT g.id, g.display_name
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
