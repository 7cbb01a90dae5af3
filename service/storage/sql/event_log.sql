-- name: days
-- Days of the log that hold events, with their numbers as far as statistics know, and bytes with indexes. NULL as day: what
-- lies in no day's partition.
SELECT CASE WHEN c.relname ~ '^event_\d{8}$' THEN to_date(substr(c.relname, 7), 'YYYYMMDD') END AS day,
       greatest(pg_stat_get_live_tuples(c.oid), c.reltuples::bigint, 0) AS events, pg_total_relation_size(c.oid) AS bytes
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'event'::regclass
 ORDER BY c.relname

-- name: feed_bytes
-- Bytes of the order across directories, with indexes.
SELECT pg_total_relation_size('feed')

-- name: times
-- When the oldest and the newest event between two positions were committed.
SELECT (SELECT e.created_at FROM (SELECT f.* FROM feed f WHERE f.pos > $1 AND f.pos <= $2 ORDER BY f.pos LIMIT 1) i
          JOIN event e ON e.directory_id = i.directory_id AND e.seq = i.seq AND e.day = i.day) AS oldest,
       (SELECT e.created_at FROM (SELECT f.* FROM feed f WHERE f.pos > $1 AND f.pos <= $2 ORDER BY f.pos DESC LIMIT 1) i
          JOIN event e ON e.directory_id = i.directory_id AND e.seq = i.seq AND e.day = i.day) AS newest
