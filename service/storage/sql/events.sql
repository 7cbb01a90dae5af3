-- name: lock_head
-- Takes the row that orders the writers of a directory and tells its newest number.
SELECT h.seq FROM head h WHERE h.directory_id = $1 FOR UPDATE

-- name: new_head
-- A directory's log begins at 0.
INSERT INTO head (directory_id, seq) VALUES ($1, 0)

-- name: append
-- Appends numbered events and moves the heads; see append_events_v1.
SELECT append_events_v1($1, $2, $3, $4)
