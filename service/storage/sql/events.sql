-- name: lock_heads
-- Takes the rows that order the writers of directories, in the order in which batches take them, and tells their newest
-- numbers.
SELECT h.directory_id, h.seq FROM head h WHERE h.directory_id = ANY ($1::text[]) ORDER BY h.directory_id FOR UPDATE

-- name: new_head
-- A directory's log begins at 0.
INSERT INTO head (directory_id, seq) VALUES ($1, 0)

-- name: append
-- Appends numbered events and moves the heads; see append_events_v1.
SELECT append_events_v1($1, $2, $3, $4)
