-- name: insert
-- A new subscription.
INSERT INTO subscription (
  id, kind, name, directory_ids, organization_ids, types, bound_directory_ids, bound_organization_ids,
  reach_directory_ids, reach_organization_ids, cursor, place, created_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: find
-- One subscription by id $1, or one of kind `named` by the name $1, with its lag. A lease that ran out is not shown.
SELECT s.*, greatest(t.pos - s.place, 0) AS lag, o.lag_time, s.lease_until > clock_timestamp() AS held
  FROM subscription s
  CROSS JOIN LATERAL (SELECT f.pos FROM feed_tick f ORDER BY f.tick DESC LIMIT 1) t
  LEFT JOIN LATERAL (
    SELECT greatest(clock_timestamp() - e.created_at, interval '0') AS lag_time
      FROM (SELECT f.* FROM feed f WHERE f.pos > s.place ORDER BY f.pos LIMIT 1) f
      JOIN event e ON e.directory_id = f.directory_id AND e.seq = f.seq AND e.day = f.day
  ) o ON true
 WHERE s.id = $1 OR (s.name = $1 AND s.kind = 'named')

-- name: page
-- Those of kind `named` behind id $1 that a caller bound to directories $3 and organizations $4 (NULL: not bound) may see.
SELECT s.*, greatest(t.pos - s.place, 0) AS lag, o.lag_time, s.lease_until > clock_timestamp() AS held
  FROM subscription s
  CROSS JOIN LATERAL (SELECT f.pos FROM feed_tick f ORDER BY f.tick DESC LIMIT 1) t
  LEFT JOIN LATERAL (
    SELECT greatest(clock_timestamp() - e.created_at, interval '0') AS lag_time
      FROM (SELECT f.* FROM feed f WHERE f.pos > s.place ORDER BY f.pos LIMIT 1) f
      JOIN event e ON e.directory_id = f.directory_id AND e.seq = f.seq AND e.day = f.day
  ) o ON true
 WHERE s.kind = 'named' AND s.id > $1
   AND ($3::text[] IS NULL OR (s.reach_directory_ids <> '{}' AND s.reach_directory_ids <@ $3))
   AND ($4::text[] IS NULL OR (s.reach_organization_ids <> '{}' AND s.reach_organization_ids <@ $4))
 ORDER BY s.id LIMIT $2

-- name: count
-- How many subscriptions of kind `named` there are.
SELECT count(*) FROM subscription WHERE kind = 'named'

-- name: move
-- To another place in the log. The next lease_epoch shuts its reader out.
UPDATE subscription SET cursor = $2, place = $3, acked_at = NULL, consumer = '', lease_epoch = lease_epoch + 1,
       lease_until = NULL, sent_place = NULL, redelivery_count = 0, last_error = '', last_error_at = NULL
 WHERE id = $1
RETURNING id

-- name: change_filter
-- Another filter, from the same place. The next lease_epoch shuts its reader out.
UPDATE subscription SET directory_ids = $2, organization_ids = $3, types = $4, bound_directory_ids = $5,
       bound_organization_ids = $6, reach_directory_ids = $7, reach_organization_ids = $8, consumer = '',
       lease_epoch = lease_epoch + 1, lease_until = NULL
 WHERE id = $1
RETURNING id

-- name: delete
-- Forgets one.
DELETE FROM subscription WHERE id = $1 RETURNING id

-- name: acquire
-- Takes the lease for $3 when it is free, or from its holder if $4.
UPDATE subscription SET consumer = $2, lease_epoch = lease_epoch + 1, lease_until = clock_timestamp() + $3::interval
 WHERE id = $1 AND (lease_until IS NULL OR lease_until <= clock_timestamp() OR $4)
RETURNING *

-- name: holder
-- Who has the lease, and for how long still.
SELECT consumer, greatest(lease_until - clock_timestamp(), interval '0') AS remaining
  FROM subscription WHERE id = $1

-- name: held
-- Which of the leases ($1 ids, $2 epochs) are still what they were.
SELECT s.id, s.lease_epoch FROM subscription s
  JOIN unnest($1::text[], $2::bigint[]) AS h (id, epoch) ON s.id = h.id AND s.lease_epoch = h.epoch

-- name: renew
-- The same, and they hold for another $3.
WITH held AS (
  SELECT s.id FROM subscription s
    JOIN unnest($1::text[], $2::bigint[]) AS h (id, epoch) ON s.id = h.id AND s.lease_epoch = h.epoch
   ORDER BY s.id FOR UPDATE OF s
)
UPDATE subscription s SET lease_until = clock_timestamp() + $3::interval FROM held WHERE s.id = held.id
RETURNING s.id, s.lease_epoch

-- name: save
-- What readers acknowledged and were sent, each fenced by its lease_epoch; never back. $7: the reader has left. $8: what
-- went wrong; NULL: as it was. $3 is NULL where acknowledgements come another way (webhooks).
WITH held AS (
  SELECT s.id, h.cursor, coalesce(h.place, s.place) AS place, h.sent, h.attempts, h.done, h.error
    FROM subscription s
    JOIN unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::boolean[], $8::text[])
      AS h (id, epoch, cursor, place, sent, attempts, done, error) ON s.id = h.id AND s.lease_epoch = h.epoch
   ORDER BY s.id FOR UPDATE OF s
)
UPDATE subscription s SET
       -- The first of two looks at a row that another transaction has just moved may compare its new place with the old one.
       cursor = CASE WHEN held.place > s.place THEN coalesce(held.cursor, s.cursor) ELSE s.cursor END,
       place = greatest(held.place, s.place),
       acked_at = CASE WHEN held.place > s.place THEN clock_timestamp() ELSE s.acked_at END,
       sent_place = CASE WHEN held.sent > greatest(held.place, s.place) THEN held.sent END,
       redelivery_count = CASE WHEN held.sent > greatest(held.place, s.place) THEN held.attempts ELSE 0 END,
       consumer = CASE WHEN held.done THEN '' ELSE s.consumer END,
       lease_until = CASE WHEN held.done THEN NULL ELSE s.lease_until END,
       last_error = coalesce(held.error, s.last_error),
       last_error_at = CASE WHEN held.error IS NULL THEN s.last_error_at ELSE clock_timestamp() END
  FROM held WHERE s.id = held.id
RETURNING s.id, s.lease_epoch

-- name: acknowledge
-- Everything up to position $4 is done. Never back; no row when the lease_epoch is another one.
UPDATE subscription SET
       cursor = CASE WHEN $4 > place THEN $3 ELSE cursor END,
       acked_at = CASE WHEN $4 > place THEN clock_timestamp() ELSE acked_at END,
       sent_place = CASE WHEN sent_place > greatest($4, place) THEN sent_place END,
       redelivery_count = CASE WHEN sent_place > greatest($4, place) THEN redelivery_count ELSE 0 END,
       place = greatest($4, place)
 WHERE id = $1 AND lease_epoch = $2
RETURNING id

-- name: fail
-- What went wrong with one that nobody reads.
UPDATE subscription SET last_error = $2, last_error_at = clock_timestamp() WHERE id = $1

-- name: position_of
-- Position of the last event of directory $1 up to number $2; NULL when retention left none of them.
SELECT max(f.pos) FROM feed f WHERE f.directory_id = $1 AND f.seq <= $2

-- name: lags
-- How far subscriptions are behind, and the totals of their kind. Of each kind the $1 whose cursor stands furthest back and
-- the $1 with the directory that has waited longest for a delivery: the $1 with the oldest event are among them. Events
-- that wait for such a directory are counted behind its own number, beside those behind the cursor.
WITH newest AS MATERIALIZED (
  SELECT coalesce((SELECT f.pos FROM feed_tick f ORDER BY f.tick DESC LIMIT 1), 0) AS pos
), waiting AS (
  SELECT l.endpoint_id, min(nullif(l.delivery_id, '')) AS delivery_id, sum(greatest(h.seq - l.directory_seq + 1, 0)) AS events
    FROM webhook_lane l JOIN head h ON h.directory_id = l.directory_id
   GROUP BY l.endpoint_id
), behind AS (
  SELECT s.kind, coalesce(e.id, s.id) AS id, s.place, w.delivery_id,
         greatest(n.pos - s.place, 0) + coalesce(w.events, 0) AS events
    FROM subscription s CROSS JOIN newest n
    LEFT JOIN webhook_endpoint e ON s.kind = 'webhook' AND e.subscription_id = s.id AND e.deleted_at IS NULL
    LEFT JOIN waiting w ON w.endpoint_id = e.id
   WHERE s.kind = 'named' OR e.status = 'enabled'
), ranked AS (
  SELECT b.*, row_number() OVER (PARTITION BY b.kind ORDER BY b.place, b.id) AS by_place,
         row_number() OVER (PARTITION BY b.kind ORDER BY b.delivery_id NULLS LAST, b.id) AS by_delivery,
         count(*) OVER (PARTITION BY b.kind) AS subscriptions, sum(b.events) OVER (PARTITION BY b.kind) AS total
    FROM behind b
)
SELECT r.kind, r.id, r.events, r.subscriptions, r.total,
       coalesce(clock_timestamp() - least(c.created_at, d.created_at), interval '0') AS age
  FROM ranked r
  LEFT JOIN LATERAL (
    SELECT e.created_at FROM (SELECT f.* FROM feed f WHERE f.pos > r.place ORDER BY f.pos LIMIT 1) f
      JOIN event e ON e.directory_id = f.directory_id AND e.seq = f.seq AND e.day = f.day
  ) c ON true
  LEFT JOIN LATERAL (
    SELECT e.created_at FROM webhook_lane l
      JOIN event e ON e.directory_id = l.directory_id AND e.seq = l.directory_seq
     WHERE l.endpoint_id = r.id AND l.delivery_id = r.delivery_id LIMIT 1
  ) d ON r.delivery_id IS NOT NULL
 WHERE r.by_place <= $1 OR (r.delivery_id IS NOT NULL AND r.by_delivery <= $1)

-- name: now
-- Where the log ends: epoch and newest position.
SELECT s.epoch, t.pos FROM feed_state s
 CROSS JOIN LATERAL (SELECT f.pos FROM feed_tick f ORDER BY f.tick DESC LIMIT 1) t
 WHERE s.id = 1
