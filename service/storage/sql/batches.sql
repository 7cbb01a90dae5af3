-- name: load
-- Locks the heads of the batch's directories and returns what its commands name; see load_batch_v1.
SELECT * FROM load_batch_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: write
-- Writes everything the batch decided, events last; see write_batch_v1.
SELECT write_batch_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                      $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42,
                      $43, $44, $45, $46, $47)

-- name: event_at
-- Which event stands at a number: tells whether a commit whose answer was lost went through.
SELECT e.id FROM event e WHERE e.directory_id = $1 AND e.seq = $2
