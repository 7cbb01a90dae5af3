-- name: load
-- Locks the heads of the batch's directories and returns what its commands name; see load_batch_v1.
SELECT * FROM load_batch_v1($1)

-- name: write
-- Writes everything the batch decided, events last; see write_batch_v2.
SELECT write_batch_v2($1, $2, $3)

-- name: event_at
-- Which event stands at a number: tells whether a commit whose answer was lost went through.
SELECT e.id FROM event e WHERE e.directory_id = $1 AND e.seq = $2
