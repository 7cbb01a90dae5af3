-- name: claim
-- Makes the state of the feed or finds out that the database was replaced; see claim_feed_v1.
SELECT claim_feed_v1($1)

-- name: sequence
-- Positions for what was committed since the last call; see sequence_feed_v1.
SELECT sequence_feed_v1($1)

-- name: ensure_partitions
-- Day partitions for the days to come.
SELECT ensure_event_partitions_v1($1)

-- name: drop_expired
-- Partitions below a floor that every reader has had time to see.
SELECT drop_expired_events_v1($1)

-- name: move_floor
-- Events of days before $1 are expired from now on.
SELECT move_feed_floor_v1($1)

-- name: trim
-- Up to $1 positions at or below the floor.
SELECT trim_feed_v1($1)

-- name: trim_history
-- Up to $2 memberships that ended before $1.
SELECT trim_history_v1($1, $2)

-- name: state
-- Epoch, floor, newest position, and whether the sequencer knows the database as it is now. No row before it first ran.
SELECT s.epoch, s.oldest_pos, s.oldest_day, (SELECT feed_is_here_v1()) AS here,
       (SELECT t.pos FROM feed_tick t ORDER BY t.tick DESC LIMIT 1) AS newest
  FROM feed_state s WHERE s.id = 1

-- name: position_at
-- The position behind the last event committed before a time.
SELECT feed_position_at_v1($1)

-- name: ended_epoch
-- How much of an older epoch is still true.
SELECT e.end_pos, e.end_gid FROM feed_epoch e WHERE e.epoch = $1

-- name: survived
-- Whether an event was there when an epoch ended: gids given out later are greater.
SELECT EXISTS (SELECT 1 FROM event e WHERE e.directory_id = $1 AND e.seq = $2 AND e.gid <= $3)

-- name: page_by_position
-- Events behind position $1 in the scope of $4 (directories) and $5 (organizations), NULL for all, in one snapshot with
-- the floor. It looks through more than $2 positions up to a multiple of $2, so that readers who start apart soon read
-- equal pages, and stops before $3 bytes of payload but for the first event. Payloads of types that are not wanted stay behind:
-- $6 are types (NULL: all), $7 beginnings of types; at most $8 events. It looks for them in the days from $9 to $10: each day more
-- costs what reading twenty events does. Always at least one row; `pos` is NULL when it holds no event, `type` when that was not there.
-- `beyond` is the end of the one command that is larger than all that was looked through.
SELECT s.epoch, s.oldest_pos, w.upto, w.newest, w.whole, w.beyond,
       r.pos, r.directory_id, r.seq, r.day, r.transaction_end, r.organization_id, r.type, r.payload, r.total
  FROM feed_state s
  CROSS JOIN LATERAL (
    SELECT v.*, CASE WHEN v.whole IS NULL THEN (
             SELECT f.pos FROM feed f WHERE f.pos > v.upto AND f.transaction_end ORDER BY f.pos LIMIT 1) END AS beyond
      FROM (
        SELECT l.newest, least(l.upto, l.newest) AS upto,
               (SELECT max(f.pos) FROM feed f WHERE f.pos > $1 AND f.pos <= l.upto AND f.transaction_end) AS whole
          FROM (SELECT (SELECT t.pos FROM feed_tick t ORDER BY t.tick DESC LIMIT 1) AS newest,
                       (((SELECT min(f.pos) FROM feed f WHERE f.pos > $1) - 1) / $2::bigint + 2) * $2 AS upto) l
        OFFSET 0
      ) v
  ) w
  LEFT JOIN LATERAL (
    SELECT p.*, CASE WHEN p.size IS NOT NULL THEN p.body END AS payload, count(*) OVER () AS total,
           coalesce(sum(p.size) OVER (ORDER BY p.pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
      FROM (
        SELECT f.pos, f.directory_id, f.seq, f.day, f.transaction_end, e.organization_id, e.type, e.payload AS body, e.size
          FROM (
            SELECT i.* FROM feed i
             WHERE i.pos > $1 AND i.pos <= w.upto
               AND ($4::text[] IS NULL OR i.directory_id = ANY ($4))
               AND ($5::text[] IS NULL OR i.directory_id IN (
                     SELECT d.id FROM directory d WHERE d.organization_id = ANY ($5)))
             ORDER BY i.pos LIMIT $8
          ) f
          LEFT JOIN LATERAL (
            SELECT x.organization_id, x.type, x.payload,
                   CASE WHEN $6::text[] IS NULL OR x.type = ANY ($6) OR x.type ^@ ANY ($7::text[])
                     THEN octet_length(x.payload) END AS size
              FROM event x
             WHERE x.directory_id = f.directory_id AND x.seq = f.seq AND x.day = f.day AND x.day BETWEEN $9 AND $10 OFFSET 0
          ) e ON true
         ORDER BY f.pos
      ) p
  ) r ON r.before < $3
 WHERE s.id = 1
 ORDER BY r.pos

-- name: packed_by_position
-- As page_by_position, in one row: of its events the places, whether each ends a command, the length of each frame (0 for
-- a type that is not wanted) and the frames in one piece but for the `start` of the first; `gone` when an event has no row any
-- more. For those who send pages on, to whom a row for each event would cost several times what the rest does. What starts a
-- frame is a delimiter here: putting it before each payload would copy each twice more.
SELECT s.epoch, s.oldest_pos, w.upto, w.newest, w.whole, w.beyond, p.places, p.ends, p.sizes, p.start, p.body, p.total, p.gone, p.day
  FROM feed_state s
  CROSS JOIN LATERAL (
    SELECT v.*, CASE WHEN v.whole IS NULL THEN (
             SELECT f.pos FROM feed f WHERE f.pos > v.upto AND f.transaction_end ORDER BY f.pos LIMIT 1) END AS beyond
      FROM (
        SELECT l.newest, least(l.upto, l.newest) AS upto,
               (SELECT max(f.pos) FROM feed f WHERE f.pos > $1 AND f.pos <= l.upto AND f.transaction_end) AS whole
          FROM (SELECT (SELECT t.pos FROM feed_tick t ORDER BY t.tick DESC LIMIT 1) AS newest,
                       (((SELECT min(f.pos) FROM feed f WHERE f.pos > $1) - 1) / $2::bigint + 2) * $2 AS upto) l
        OFFSET 0
      ) v
  ) w
  CROSS JOIN LATERAL (
    SELECT array_agg(r.pos) AS places, array_agg(r.transaction_end) AS ends,
           array_agg(coalesce(octet_length(r.start) + r.size, 0)) AS sizes,
           (array_agg(r.start) FILTER (WHERE r.size IS NOT NULL))[1] AS start,
           string_agg(r.payload, r.start) FILTER (WHERE r.size IS NOT NULL) AS body,
           max(r.total) AS total, bool_or(r.type IS NULL) AS gone, max(r.day) AS day
      FROM (
        SELECT q.*, frame_start_v1(q.size) AS start, count(*) OVER () AS total,
               coalesce(sum(q.size) OVER (ORDER BY q.pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
          FROM (
            SELECT f.pos, f.day, f.transaction_end, e.type, e.payload, e.size
              FROM (
                SELECT i.* FROM feed i
                 WHERE i.pos > $1 AND i.pos <= w.upto
                   AND ($4::text[] IS NULL OR i.directory_id = ANY ($4))
                   AND ($5::text[] IS NULL OR i.directory_id IN (
                         SELECT d.id FROM directory d WHERE d.organization_id = ANY ($5)))
                 ORDER BY i.pos LIMIT $8
              ) f
              LEFT JOIN LATERAL (
                SELECT x.type, x.payload,
                       CASE WHEN $6::text[] IS NULL OR x.type = ANY ($6) OR x.type ^@ ANY ($7::text[])
                         THEN octet_length(x.payload) END AS size
                  FROM event x
                 WHERE x.directory_id = f.directory_id AND x.seq = f.seq AND x.day = f.day AND x.day BETWEEN $9 AND $10 OFFSET 0
              ) e ON true
             ORDER BY f.pos
          ) q
      ) r
     WHERE r.before < $3
  ) p
 WHERE s.id = 1

-- name: packed_by_number
-- Events of directory $1 behind number $2, at most $4 and before $3 bytes but for the first, of types $5 and beginnings $6 as above,
-- of the days from $7 to $8. One row if the directory has a log, as packed_by_position gives it.
SELECT s.epoch, h.seq AS newest, (SELECT feed_is_here_v1()) AS here, p.places, p.ends, p.sizes, p.start, p.body, p.day
  FROM feed_state s
  JOIN head h ON h.directory_id = $1
  CROSS JOIN LATERAL (
    SELECT array_agg(r.seq) AS places, array_agg(r.transaction_end) AS ends,
           array_agg(coalesce(octet_length(r.start) + r.size, 0)) AS sizes,
           (array_agg(r.start) FILTER (WHERE r.size IS NOT NULL))[1] AS start,
           string_agg(r.payload, r.start) FILTER (WHERE r.size IS NOT NULL) AS body, max(r.day) AS day
      FROM (
        SELECT q.*, frame_start_v1(q.size) AS start,
               coalesce(sum(q.size) OVER (ORDER BY q.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
          FROM (
            SELECT e.seq, e.day, e.transaction_end, e.payload,
                   CASE WHEN $5::text[] IS NULL OR e.type = ANY ($5) OR e.type ^@ ANY ($6::text[])
                     THEN octet_length(e.payload) END AS size
              FROM event e
             WHERE e.directory_id = $1 AND e.seq > $2 AND e.day BETWEEN $7 AND $8 ORDER BY e.seq LIMIT $4
          ) q
      ) r
     WHERE r.before < $3
  ) p
 WHERE s.id = 1

-- name: directory_bounds
-- The oldest event kept and the newest number of a directory.
SELECT h.seq AS newest, (SELECT min(e.seq) FROM event e WHERE e.directory_id = $1) AS oldest,
       (SELECT e.seq FROM event e WHERE e.directory_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT 1) AS following
  FROM head h WHERE h.directory_id = $1

-- name: directories
-- Which of these directories exist, with their organizations. A deleted one still has its log.
SELECT d.id, d.organization_id FROM directory d WHERE d.id = ANY ($1)

-- name: organizations
-- Which of these organizations exist, and for a caller bound to the directories $2 (NULL: not bound), hold one of them.
SELECT o.id FROM organization o
 WHERE o.id = ANY ($1)
   AND ($2::text[] IS NULL OR EXISTS (
         SELECT 1 FROM directory d WHERE d.organization_id = o.id AND d.id = ANY ($2)))
