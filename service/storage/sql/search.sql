-- name: user_by_user_key
-- The existence check that providers make before every create: one probe of a unique index. With $3 also the groups, as
-- pairs of id and name, and whether any group of the directory is in another: ids of groups begin with `directory_group_`,
-- so that is one probe.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at,
       CASE WHEN $3 THEN (
         SELECT json_agg(json_build_array(g.id, g.display_name) ORDER BY g.id)
           FROM membership m, LATERAL (SELECT x.id, x.display_name FROM directory_group x
                                        WHERE x.directory_id = $1 AND x.id = m.group_id OFFSET 0) AS g
          WHERE m.directory_id = $1 AND m.member_id = u.id) END AS groups,
       $3 AND EXISTS (SELECT FROM membership n WHERE n.directory_id = $1 AND n.member_id >= 'directory_group_'
                                                 AND n.member_id < 'directory_group`') AS nested
  FROM directory_user u WHERE u.directory_id = $1 AND u.user_key = $2

-- name: user_by_id
-- As user_by_user_key, by id.
SELECT u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at,
       CASE WHEN $3 THEN (
         SELECT json_agg(json_build_array(g.id, g.display_name) ORDER BY g.id)
           FROM membership m, LATERAL (SELECT x.id, x.display_name FROM directory_group x
                                        WHERE x.directory_id = $1 AND x.id = m.group_id OFFSET 0) AS g
          WHERE m.directory_id = $1 AND m.member_id = u.id) END AS groups,
       $3 AND EXISTS (SELECT FROM membership n WHERE n.directory_id = $1 AND n.member_id >= 'directory_group_'
                                                 AND n.member_id < 'directory_group`') AS nested
  FROM directory_user u WHERE u.directory_id = $1 AND u.id = $2

-- name: groups_of_users
-- Groups of many users, at most $3 rows. `nested` as in user_by_user_key.
SELECT m.member_id AS holder, g.id, g.display_name,
       EXISTS (SELECT FROM membership n WHERE n.directory_id = $1 AND n.member_id >= 'directory_group_'
                                          AND n.member_id < 'directory_group`') AS nested
  FROM membership m, LATERAL (SELECT x.id, x.display_name FROM directory_group x
                               WHERE x.directory_id = $1 AND x.id = m.group_id OFFSET 0) AS g
 WHERE m.directory_id = $1 AND m.member_id = ANY ($2::text[])
 ORDER BY m.member_id, m.group_id LIMIT $3

-- name: members_of_groups
-- Members of many groups with their names, at most $3 rows. Each name is probed for (OFFSET 0): a plan for directories in
-- general would read all users of the one.
SELECT m.group_id AS holder, m.member_id, m.member_type, coalesce(m.display, u.user_name, g.display_name) AS name
  FROM membership m
  LEFT JOIN LATERAL (SELECT x.user_name FROM directory_user x WHERE x.directory_id = $1 AND x.id = m.member_id
                     OFFSET 0) AS u ON true
  LEFT JOIN LATERAL (SELECT x.display_name FROM directory_group x WHERE x.directory_id = $1 AND x.id = m.member_id
                     OFFSET 0) AS g ON true
 WHERE m.directory_id = $1 AND m.group_id = ANY ($2::text[])
 ORDER BY m.group_id, m.member_id LIMIT $3
