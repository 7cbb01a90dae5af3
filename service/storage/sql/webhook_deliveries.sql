-- name: hold
-- Which endpoints ($1) are still read under these lease epochs ($2): their subscriptions are held until the end of the
-- transaction, so no other reader begins in between.
-- An endpoint before its subscription, as where an endpoint is changed: in the other order the two would wait for each
-- other.
SELECT e.id FROM webhook_endpoint e
  JOIN unnest($1::text[], $2::bigint[]) AS h (id, epoch) ON h.id = e.id
  JOIN subscription s ON s.id = e.subscription_id AND s.lease_epoch = h.epoch
 WHERE e.deleted_at IS NULL
 ORDER BY s.id FOR NO KEY UPDATE OF e FOR UPDATE OF s

-- name: upsert
-- Deliveries with their new attempts ($1: a JSON array of rows). What is there already changes nothing: a dispatcher that
-- got no answer says it again.
INSERT INTO webhook_delivery AS w (
  endpoint_id, id, event_id, event_type, directory_id, state, attempt_count, created_at, updated_at, next_attempt_at,
  response_status, attempts
)
SELECT d.endpoint_id, d.id, d.event_id, d.event_type, d.directory_id, d.state, d.attempt_count, d.created_at, d.updated_at,
       d.next_attempt_at, d.response_status, d.attempts
  FROM jsonb_populate_recordset(NULL::webhook_delivery, $1::jsonb) AS d
    ON CONFLICT (endpoint_id, id) DO UPDATE
   SET state = excluded.state, attempt_count = excluded.attempt_count, updated_at = excluded.updated_at,
       next_attempt_at = excluded.next_attempt_at, response_status = excluded.response_status,
       attempts = w.attempts || excluded.attempts
 WHERE w.attempt_count < excluded.attempt_count

-- name: upsert_lanes
-- Directories that wait, or wait differently ($1: a JSON array of rows).
INSERT INTO webhook_lane
SELECT l.* FROM jsonb_populate_recordset(NULL::webhook_lane, $1::jsonb) AS l
    ON CONFLICT (endpoint_id, directory_id) DO UPDATE
   SET directory_seq = excluded.directory_seq, attempt_count = excluded.attempt_count,
       next_attempt_at = excluded.next_attempt_at, delivery_id = excluded.delivery_id, cursor = excluded.cursor

-- name: end_lanes
-- Directories that wait no more.
DELETE FROM webhook_lane l USING unnest($1::text[], $2::text[]) AS k (endpoint_id, directory_id)
 WHERE l.endpoint_id = k.endpoint_id AND l.directory_id = k.directory_id

-- name: advance_replays
-- How far replays came ($1: a JSON array of rows).
UPDATE webhook_replay r
   SET completed_at = p.completed_at, delivered_count = p.delivered_count, cursor = p.cursor, error = p.error
  FROM jsonb_populate_recordset(NULL::webhook_replay, $1::jsonb) AS p
 WHERE r.endpoint_id = p.endpoint_id AND r.id = p.id AND r.completed_at IS NULL

-- name: set_failing
-- Since when endpoints fail; NULL: they do not.
UPDATE webhook_endpoint e SET failing_since = k.since
  FROM unnest($1::text[], $2::timestamptz[]) AS k (id, since)
 WHERE e.id = k.id AND e.failing_since IS DISTINCT FROM k.since

-- name: disable
-- Turns an endpoint off, unless an administrator did.
UPDATE webhook_endpoint SET status = 'disabled', status_reason = $2, updated_at = $3, changed = $4
 WHERE id = $1 AND status = 'enabled' AND deleted_at IS NULL
RETURNING failing_since

-- name: longest_waiting
-- The directory that has waited longest at an endpoint, rather one that is not deleted.
SELECT d.id, d.organization_id
  FROM webhook_lane l JOIN directory d ON d.id = l.directory_id JOIN head h ON h.directory_id = d.id
 WHERE l.endpoint_id = $1
 ORDER BY d.deleted_at IS NOT NULL, l.delivery_id = '', l.delivery_id LIMIT 1

-- name: page
-- Deliveries of an endpoint before id $2, newest first.
SELECT d.*, d.attempts -> -1 ->> 'error' AS error FROM webhook_delivery d
 WHERE d.endpoint_id = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3

-- name: page_by_state
-- The same of one state.
SELECT d.*, d.attempts -> -1 ->> 'error' AS error FROM webhook_delivery d
 WHERE d.endpoint_id = $1 AND d.id < $2 AND d.state = $4 ORDER BY d.id DESC LIMIT $3

-- name: page_by_event
-- The same of one event; $5: of this state, or NULL.
SELECT d.*, d.attempts -> -1 ->> 'error' AS error FROM webhook_delivery d
 WHERE d.endpoint_id = $1 AND d.id < $2 AND d.event_id = $4 AND ($5::text IS NULL OR d.state = $5)
 ORDER BY d.id DESC LIMIT $3

-- name: get
-- One delivery.
SELECT d.*, d.attempts -> -1 ->> 'error' AS error FROM webhook_delivery d WHERE d.endpoint_id = $1 AND d.id = $2

-- name: purge
-- Takes away at most $3 deliveries of an endpoint before an id.
WITH old AS (
  SELECT d.id FROM webhook_delivery d WHERE d.endpoint_id = $1 AND d.id < $2 ORDER BY d.id LIMIT $3
)
DELETE FROM webhook_delivery d USING old WHERE d.endpoint_id = $1 AND d.id = old.id

-- name: purge_replays
-- Takes away replays of an endpoint before an id.
DELETE FROM webhook_replay r WHERE r.endpoint_id = $1 AND r.id < $2
