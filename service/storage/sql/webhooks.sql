-- name: next_version
-- Counts one more change, in the order of commits: the row is held until the transaction ends.
UPDATE webhook_change SET version = version + 1 WHERE id = 1 RETURNING version

-- name: version
-- The number of the last change.
SELECT version FROM webhook_change WHERE id = 1

-- name: insert
-- A new endpoint.
INSERT INTO webhook_endpoint (
  id, url, description, status, secrets, subscription_id, directory_ids, organization_ids, types, created_at, updated_at,
  changed
) VALUES ($1, $2, $3, 'enabled', $4, $5, $6, $7, $8, $9, $9, $10)

-- name: count
-- How many endpoints there are.
SELECT count(*) FROM webhook_endpoint WHERE deleted_at IS NULL

-- name: get
-- One endpoint.
SELECT e.* FROM webhook_endpoint e WHERE e.id = $1 AND e.deleted_at IS NULL

-- name: lock
-- One endpoint, held until the transaction ends.
SELECT e.* FROM webhook_endpoint e WHERE e.id = $1 AND e.deleted_at IS NULL FOR UPDATE

-- name: page
-- Endpoints between two ids, in the order in which they were made.
SELECT e.* FROM webhook_endpoint e
 WHERE e.id > $1 AND e.id < $2 AND e.deleted_at IS NULL ORDER BY e.id ASC LIMIT $3

-- name: page_backward
-- The same from the end.
SELECT e.* FROM webhook_endpoint e
 WHERE e.id > $1 AND e.id < $2 AND e.deleted_at IS NULL ORDER BY e.id DESC LIMIT $3

-- name: update
-- Writes what may change of an endpoint.
UPDATE webhook_endpoint
   SET url = $2, description = $3, status = $4, status_reason = $5, secrets = $6, directory_ids = $7,
       organization_ids = $8, types = $9, updated_at = $10, failing_since = $11, changed = $12
 WHERE id = $1

-- name: hasten_lanes
-- What waits for its next attempt is due now: the endpoint was enabled again.
UPDATE webhook_lane SET next_attempt_at = $2 WHERE endpoint_id = $1 AND next_attempt_at > $2

-- name: bury
-- Ends an endpoint. Its deliveries are taken away in steps, its URL is free at once.
UPDATE webhook_endpoint SET deleted_at = $2, secrets = '[]', status = 'disabled', changed = $3 WHERE id = $1

-- name: targets
-- Enabled endpoints behind id $1 that changed since $2 or that nobody reads, with who reads them.
SELECT e.*, CASE WHEN s.lease_until > clock_timestamp() THEN s.consumer ELSE '' END AS consumer,
       CASE WHEN s.lease_until > clock_timestamp() THEN s.lease_until END AS lease_until
  FROM webhook_endpoint e JOIN subscription s ON s.id = e.subscription_id
 WHERE e.id > $1 AND e.status = 'enabled' AND e.deleted_at IS NULL
   AND (e.changed > $2 OR s.lease_until IS NULL OR s.lease_until <= clock_timestamp())
 ORDER BY e.id LIMIT $3

-- name: targets_by_id
-- The same of enabled endpoints with these ids.
SELECT e.*, CASE WHEN s.lease_until > clock_timestamp() THEN s.consumer ELSE '' END AS consumer,
       CASE WHEN s.lease_until > clock_timestamp() THEN s.lease_until END AS lease_until
  FROM webhook_endpoint e JOIN subscription s ON s.id = e.subscription_id
 WHERE e.id = ANY ($1::text[]) AND e.status = 'enabled' AND e.deleted_at IS NULL
 ORDER BY e.id

-- name: subscriptions_of
-- The subscriptions of endpoints.
SELECT e.id, e.subscription_id FROM webhook_endpoint e WHERE e.id = ANY ($1::text[])

-- name: gone
-- Endpoints that were disabled or deleted since $1.
SELECT e.id FROM webhook_endpoint e
 WHERE e.changed > $1 AND (e.status = 'disabled' OR e.deleted_at IS NOT NULL) ORDER BY e.id LIMIT 10000

-- name: touch
-- Dispatchers must look at this endpoint.
UPDATE webhook_endpoint SET changed = $2 WHERE id = $1

-- name: insert_replay
-- A new replay.
INSERT INTO webhook_replay (endpoint_id, id, event_id, start_at, end_at, test_event_type, created_at, cursor)
VALUES ($1, $2, nullif($3, ''), $4, $5, nullif($6, ''), $7, $8)

-- name: count_unfinished
-- How many replays of an endpoint are not done.
SELECT count(*) FROM webhook_replay r WHERE r.endpoint_id = $1 AND r.completed_at IS NULL

-- name: replays
-- The newest replays of an endpoint.
SELECT r.* FROM webhook_replay r WHERE r.endpoint_id = $1 ORDER BY r.id DESC LIMIT 100

-- name: unfinished_replays
-- What these endpoints still have to send once more, oldest first.
SELECT r.* FROM webhook_replay r
 WHERE r.endpoint_id = ANY ($1::text[]) AND r.completed_at IS NULL ORDER BY r.endpoint_id, r.id

-- name: lanes
-- The waiting directories of these endpoints.
SELECT l.* FROM webhook_lane l WHERE l.endpoint_id = ANY ($1::text[]) ORDER BY l.endpoint_id, l.directory_id

-- name: expired
-- Enabled endpoints whose next events retention has dropped: their place is before position $1.
SELECT e.id, e.subscription_id FROM webhook_endpoint e JOIN subscription s ON s.id = e.subscription_id
 WHERE e.deleted_at IS NULL AND e.status = 'enabled' AND s.place < $1

-- name: graves
-- Deleted endpoints that still have rows.
SELECT e.id FROM webhook_endpoint e WHERE e.deleted_at < $1 ORDER BY e.deleted_at LIMIT 100

-- name: all_ids
-- Every endpoint, for the purge of old deliveries.
SELECT e.id FROM webhook_endpoint e WHERE e.id > $1 ORDER BY e.id LIMIT 1000

-- name: remove
-- Takes away the row of a deleted endpoint, with its lanes and replays.
WITH lanes AS (DELETE FROM webhook_lane WHERE endpoint_id = $1),
     replays AS (DELETE FROM webhook_replay WHERE endpoint_id = $1)
DELETE FROM webhook_endpoint WHERE id = $1
