-- name: find
-- An event by its id, which was written on one of the days $2 to $3.
SELECT e.directory_id, e.organization_id, e.seq, e.day FROM event e WHERE e.id = $1 AND e.day BETWEEN $2 AND $3 LIMIT 1

-- name: position
-- Position of a directory's event; `awaited`: the event is there and the sequencer has not come to it.
SELECT p.pos, p.pos IS NULL AND EXISTS (
         SELECT 1 FROM event e, feed_state s WHERE s.id = 1 AND e.directory_id = $1 AND e.seq = $2 AND e.day >= s.oldest_day
            AND NOT EXISTS (SELECT 1 FROM feed f WHERE f.directory_id = $1 AND f.seq > $2)) AS awaited
  FROM (SELECT (SELECT f.pos FROM feed f WHERE f.directory_id = $1 AND f.seq = $2) AS pos) p

-- name: directories
-- Up to $3 directories within the bounds ($1: directories, $2: organizations; NULL is no bound), deleted ones too.
SELECT d.id FROM directory d
 WHERE ($1::text[] IS NULL OR d.id = ANY ($1)) AND ($2::text[] IS NULL OR d.organization_id = ANY ($2)) LIMIT $3

-- name: numbers
-- Numbers of the newest events of directories up to the positions $2 and $3; no row for those without any.
SELECT n.id, n.low, n.high
  FROM (SELECT d.id, directory_seq_at_v1(d.id, $2) AS low, directory_seq_at_v1(d.id, $3) AS high
          FROM unnest($1::text[]) AS d (id) OFFSET 0) n
 WHERE n.low < n.high

-- name: edges
-- Least and greatest position of these events, by directory and number.
SELECT min(f.pos) AS least, max(f.pos) AS greatest
  FROM unnest($1::text[], $2::bigint[]) AS d (id, seq) JOIN feed f ON f.directory_id = d.id AND f.seq = d.seq

-- name: ends
-- Of the positions behind $1 up to $2: the least and the greatest.
SELECT (SELECT min(f.pos) FROM feed f WHERE f.pos > $1 AND f.pos <= $2) AS least,
       (SELECT max(f.pos) FROM feed f WHERE f.pos > $1 AND f.pos <= $2) AS greatest

-- name: command
-- The command that a position lies in: the position ahead of it, and that of its last event.
SELECT coalesce((SELECT max(f.pos) FROM feed f WHERE f.pos < $1 AND f.transaction_end), 0) AS ahead,
       (SELECT min(f.pos) FROM feed f WHERE f.pos >= $1 AND f.transaction_end) AS last

-- name: scan
-- Wanted events behind position $1 up to $2, at most $12, before $13 bytes of payload but for the first, in one snapshot with
-- the floor. Of directories that are few ($3, else NULL) the numbers behind $4 up to $5 are all that lie between; else
-- the positions are gone through, for directories $6 and organizations $7 (NULL: all). $8 are types (NULL: all), $9
-- beginnings of types; $10 and $11 times (NULL: no bound). Always at least one row; `pos` is NULL when it holds no
-- event, `found` false when retention took it. `total` is how many there were before bytes were counted.
SELECT s.epoch, s.oldest_pos, r.pos, r.transaction_end, r.found, r.payload, r.total
  FROM feed_state s
  LEFT JOIN LATERAL (
    SELECT q.*, count(*) OVER () AS total,
           sum(octet_length(q.payload)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM (
        SELECT c.pos, c.transaction_end, e.type IS NOT NULL AS found, e.payload
          FROM (
            SELECT i.pos, i.directory_id, i.seq, i.day, i.transaction_end FROM feed i
             WHERE $3::text[] IS NULL AND i.pos > $1 AND i.pos <= $2
               AND ($6::text[] IS NULL OR i.directory_id = ANY ($6))
               AND ($7::text[] IS NULL OR i.directory_id IN (
                     SELECT d.id FROM directory d WHERE d.organization_id = ANY ($7)))
            UNION ALL
            SELECT i.pos, i.directory_id, i.seq, i.day, i.transaction_end
              FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS d (id, low, high)
             CROSS JOIN LATERAL (SELECT x.* FROM feed x
                                  WHERE x.directory_id = d.id AND x.seq > d.low AND x.seq <= d.high OFFSET 0) AS i
             WHERE i.pos > $1 AND i.pos <= $2
             ORDER BY pos ASC OFFSET 0
          ) c
          LEFT JOIN LATERAL (
            SELECT x.type, x.created_at, x.payload FROM event x
             WHERE x.directory_id = c.directory_id AND x.seq = c.seq AND x.day = c.day OFFSET 0
          ) e ON true
         WHERE e.type IS NULL
            OR (($8::text[] IS NULL OR e.type = ANY ($8)
                 OR EXISTS (SELECT 1 FROM unnest($9::text[]) AS b (beginning) WHERE starts_with(e.type, b.beginning)))
                AND ($10::timestamptz IS NULL OR e.created_at >= $10) AND ($11::timestamptz IS NULL OR e.created_at < $11))
         ORDER BY c.pos ASC LIMIT $12
      ) q
  ) r ON coalesce(r.before, 0) < $13
 WHERE s.id = 1
 ORDER BY r.pos ASC NULLS FIRST

-- name: seq_at
-- How far a directory's log had come at a position of the feed.
SELECT directory_seq_at_v1($1, $2)
