-- name: states_at
-- Users and groups as they were; see states_at_v1.
SELECT * FROM states_at_v1($1, $2, $3, $4, $5)

-- name: moment
-- A directory's newest number, whether everything behind number $2 is kept, and from where on it knows its memberships.
SELECT h.seq AS newest, h.history_seq, h.seq = $2::bigint OR EXISTS (
         SELECT FROM event e WHERE e.directory_id = h.directory_id AND e.seq = $2 + 1) AS kept
  FROM head h WHERE h.directory_id = $1

-- name: number_at_time
-- Number of the last event up to a time; see directory_seq_at_time_v1.
SELECT directory_seq_at_time_v1($1, $2)

-- name: number_at_position
-- Number of a directory's last event up to a position of the feed; its newest when the feed knows none of it any more.
SELECT coalesce(directory_seq_at_v1($1, $2), (SELECT h.seq FROM head h WHERE h.directory_id = $1))

-- name: memberships_at
-- Memberships of a directory that held behind number $2, by group and member behind a place. Each table is read in the
-- order of its key and no further than the page needs.
SELECT m.group_id, m.member_id, m.member_type, m.created_at
  FROM ((SELECT c.group_id, c.member_id, c.member_type, c.created_at FROM membership c
          WHERE c.directory_id = $1 AND c.since_seq <= $2 AND (c.group_id, c.member_id) > ($3::text, $4::text)
          ORDER BY c.group_id, c.member_id LIMIT $5)
        UNION ALL
        (SELECT e.group_id, e.member_id, e.member_type, e.created_at FROM ended_membership e
          WHERE e.directory_id = $1 AND e.since_seq <= $2 AND e.ended_seq > $2
            AND (e.group_id, e.member_id) > ($3::text, $4::text)
          ORDER BY e.group_id, e.member_id LIMIT $5)) AS m
 ORDER BY m.group_id, m.member_id LIMIT $5

-- name: members_at
-- As memberships_at, of one group, between two ids. The pair of ids tells the planner which index it is to read.
SELECT m.group_id, m.member_id, m.member_type, m.created_at
  FROM ((SELECT c.group_id, c.member_id, c.member_type, c.created_at FROM membership c
          WHERE c.directory_id = $1 AND c.since_seq <= $2 AND (c.group_id, c.member_id) > ($3::text, $4::text)
            AND (c.group_id, c.member_id) < ($3::text, $5::text)
          ORDER BY c.group_id, c.member_id LIMIT $6)
        UNION ALL
        (SELECT e.group_id, e.member_id, e.member_type, e.created_at FROM ended_membership e
          WHERE e.directory_id = $1 AND e.since_seq <= $2 AND e.ended_seq > $2
            AND (e.group_id, e.member_id) > ($3::text, $4::text) AND (e.group_id, e.member_id) < ($3::text, $5::text)
          ORDER BY e.group_id, e.member_id LIMIT $6)) AS m
 ORDER BY m.member_id LIMIT $6

-- name: groups_at
-- Ids of the groups that a user was in behind number $2, behind an id.
SELECT m.group_id
  FROM (SELECT c.group_id FROM membership c
         WHERE c.directory_id = $1 AND c.since_seq <= $2 AND c.member_id = $3 AND c.group_id > $4
        UNION ALL
        SELECT e.group_id FROM ended_membership e
         WHERE e.directory_id = $1 AND e.since_seq <= $2 AND e.ended_seq > $2 AND e.member_id = $3 AND e.group_id > $4) AS m
 ORDER BY m.group_id LIMIT $5
