-- name: seen_in_users
-- Each kind of value once that extension objects hold which no schema in $2 (lower case) defines: in the $3 oldest and the
-- $3 newest users, at most $4 rows. Reads both ends of the primary key, however many users there are.
WITH sample AS (
  (SELECT x.document FROM directory_user x WHERE x.directory_id = $1 ORDER BY x.id LIMIT $3)
  UNION ALL
  (SELECT x.document FROM directory_user x WHERE x.directory_id = $1 ORDER BY x.id DESC LIMIT $3)
)
SELECT e.key AS urn, a.key AS name, CASE jsonb_typeof(v.j) WHEN 'number' THEN CASE WHEN v.j::text ~ '^-?[0-9]+$' THEN 'integer' ELSE 'decimal' END
            WHEN 'array' THEN '' WHEN 'null' THEN '' ELSE coalesce(jsonb_typeof(v.j), '') END AS type,
       jsonb_typeof(a.value) = 'array' AS multi, coalesce(s.key, '') AS sub,
       CASE jsonb_typeof(w.j) WHEN 'number' THEN CASE WHEN w.j::text ~ '^-?[0-9]+$' THEN 'integer' ELSE 'decimal' END
            WHEN 'array' THEN '' WHEN 'null' THEN '' ELSE coalesce(jsonb_typeof(w.j), '') END AS sub_type, coalesce(jsonb_typeof(s.value) = 'array', false) AS sub_multi
  FROM sample
  CROSS JOIN LATERAL jsonb_each(sample.document) AS e
  CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(e.value) = 'object' THEN e.value END) AS a
  LEFT JOIN LATERAL jsonb_path_query(a.value, '$[*]') AS v(j) ON true
  LEFT JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(v.j) = 'object' THEN v.j END) AS s ON true
  LEFT JOIN LATERAL jsonb_path_query(s.value, '$[*]') AS w(j) ON true
 WHERE lower(left(e.key, 4)) = 'urn:' AND NOT lower(e.key) = ANY ($2::text[])
 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 5 LIMIT $4

-- name: seen_in_groups
-- As seen_in_users, of groups.
WITH sample AS (
  (SELECT x.document FROM directory_group x WHERE x.directory_id = $1 ORDER BY x.id LIMIT $3)
  UNION ALL
  (SELECT x.document FROM directory_group x WHERE x.directory_id = $1 ORDER BY x.id DESC LIMIT $3)
)
SELECT e.key AS urn, a.key AS name, CASE jsonb_typeof(v.j) WHEN 'number' THEN CASE WHEN v.j::text ~ '^-?[0-9]+$' THEN 'integer' ELSE 'decimal' END
            WHEN 'array' THEN '' WHEN 'null' THEN '' ELSE coalesce(jsonb_typeof(v.j), '') END AS type,
       jsonb_typeof(a.value) = 'array' AS multi, coalesce(s.key, '') AS sub,
       CASE jsonb_typeof(w.j) WHEN 'number' THEN CASE WHEN w.j::text ~ '^-?[0-9]+$' THEN 'integer' ELSE 'decimal' END
            WHEN 'array' THEN '' WHEN 'null' THEN '' ELSE coalesce(jsonb_typeof(w.j), '') END AS sub_type, coalesce(jsonb_typeof(s.value) = 'array', false) AS sub_multi
  FROM sample
  CROSS JOIN LATERAL jsonb_each(sample.document) AS e
  CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(e.value) = 'object' THEN e.value END) AS a
  LEFT JOIN LATERAL jsonb_path_query(a.value, '$[*]') AS v(j) ON true
  LEFT JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(v.j) = 'object' THEN v.j END) AS s ON true
  LEFT JOIN LATERAL jsonb_path_query(s.value, '$[*]') AS w(j) ON true
 WHERE lower(left(e.key, 4)) = 'urn:' AND NOT lower(e.key) = ANY ($2::text[])
 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 5 LIMIT $4
