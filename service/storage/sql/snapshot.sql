-- name: hold_sequencers
-- Nobody gives positions until the transaction ends; writers and readers do not notice. To come before the transaction's
-- first query, whose snapshot then holds every position given.
LOCK TABLE feed_state IN EXCLUSIVE MODE

-- name: place_all
-- Positions for every event that this transaction's snapshot holds, and the snapshot's name, for another transaction to
-- take it. NULL as position when the database was replaced and no sequencer has noticed yet.
SELECT CASE WHEN feed_is_here_v1() THEN sequence_feed_v1(true) END AS position, pg_export_snapshot() AS snapshot

-- name: moment
-- Epoch of the feed, and the number of the newest event of a directory ($1; NULL where there is no such log).
SELECT s.epoch, feed_is_here_v1() AS here, (SELECT h.seq FROM head h WHERE h.directory_id = $1) AS seq
  FROM feed_state s WHERE s.id = 1

-- name: directories
-- Directories behind an id within the bounds ($3: directories, $4: organizations; NULL is no bound).
SELECT d.id, d.organization_id, d.name, d.provider, d.state, d.scim_key, d.policy, d.created_at, d.updated_at, h.seq
  FROM directory d JOIN head h ON h.directory_id = d.id
 WHERE d.id > $1 AND d.state <> 'deleted' AND ($3::text[] IS NULL OR d.id = ANY ($3))
   AND ($4::text[] IS NULL OR d.organization_id = ANY ($4))
 ORDER BY d.id LIMIT $2

-- name: directory_ids
-- As directories, only their ids.
SELECT d.id FROM directory d
 WHERE d.id > $1 AND d.state <> 'deleted' AND ($3::text[] IS NULL OR d.id = ANY ($3))
   AND ($4::text[] IS NULL OR d.organization_id = ANY ($4))
 ORDER BY d.id LIMIT $2

-- name: groups
-- Groups of the directories $1, of $2 those behind $3: at most $4, before $5 bytes of documents but for the first. The
-- inner query runs for one directory after the other, in the order of the array, until there are enough: sorting would
-- read all of them. The pair tells the planner that the primary key is the index for it. `total` is how many there were before bytes were counted.
SELECT r.* FROM (
  SELECT q.*, count(*) OVER () AS total,
         sum(octet_length(q.document)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
      SELECT g.* FROM unnest($1::text[]) AS d (id)
       CROSS JOIN LATERAL (
         SELECT x.directory_id, x.organization_id, x.id, x.document::text AS document, x.idp_id, x.version, x.created_at,
                x.updated_at, x.display_name
           FROM directory_group x
          WHERE x.directory_id = d.id AND (x.directory_id, x.id) > (d.id, CASE WHEN d.id = $2 THEN $3 ELSE '' END)
          ORDER BY x.id LIMIT $4) AS g
       LIMIT $4) AS q
) AS r WHERE coalesce(r.before, 0) < $5

-- name: users
-- As groups. Hidden ones are not there for applications.
SELECT r.* FROM (
  SELECT q.*, count(*) OVER () AS total,
         sum(octet_length(q.document)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
      SELECT u.* FROM unnest($1::text[]) AS d (id)
       CROSS JOIN LATERAL (
         SELECT x.directory_id, x.organization_id, x.id, x.document::text AS document, x.version, x.created_at,
                x.updated_at, x.user_name
           FROM directory_user x
          WHERE x.directory_id = d.id AND (x.directory_id, x.id) > (d.id, CASE WHEN d.id = $2 THEN $3 ELSE '' END)
            AND NOT x.hidden
          ORDER BY x.id LIMIT $4) AS u
       LIMIT $4) AS q
) AS r WHERE coalesce(r.before, 0) < $5

-- name: memberships
-- Memberships of the directories $1, of $2 those behind group $3 and member $4: at most $5, in order as above. As columns,
-- one array each: a row for each would cost more than what is in it.
SELECT max(r.directory_id) AS last_directory_id, array_agg(r.group_id) AS group_ids, array_agg(r.member_id) AS member_ids,
       array_agg(r.nested) AS nested, array_agg(r.created) AS created
  FROM (
    SELECT m.directory_id, m.group_id, m.member_id, m.member_type = 'Group' AS nested,
           round(date_part('epoch', m.created_at) * 1000000)::bigint AS created
      FROM (
        SELECT q.* FROM unnest($1::text[]) AS d (id)
         CROSS JOIN LATERAL (
           SELECT x.directory_id, x.group_id, x.member_id, x.member_type, x.created_at FROM membership x
            WHERE x.directory_id = d.id
              AND (x.group_id, x.member_id)
                  > (CASE WHEN d.id = $2 THEN $3 ELSE '' END, CASE WHEN d.id = $2 THEN $4 ELSE '' END)
            ORDER BY x.group_id, x.member_id LIMIT $5) AS q
         LIMIT $5) AS m
  ) AS r

-- name: names
-- Names of users and groups of the directories $1, those of the ids $2; none of hidden users.
SELECT u.id, u.user_name AS name FROM directory_user u
 WHERE u.directory_id = ANY ($1::text[]) AND u.id = ANY ($2::text[]) AND NOT u.hidden
 UNION ALL
SELECT g.id, g.display_name FROM directory_group g WHERE g.directory_id = ANY ($1::text[]) AND g.id = ANY ($2::text[])
