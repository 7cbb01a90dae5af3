-- name: add
-- Adds counts to what is stored, in the order of the key. Of a deleted directory nothing is kept.
INSERT INTO directory_diagnostic AS d (directory_id, resource_type, path, reason, count, first_seen_at, last_seen_at,
                                       last_request_id)
SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
                       $8::text[]) AS n (directory_id, resource_type, path, reason, count, first_seen_at, last_seen_at,
                                         last_request_id)
 WHERE EXISTS (SELECT FROM directory x WHERE x.id = n.directory_id AND x.state <> 'deleted')
    ON CONFLICT (directory_id, resource_type, path, reason) DO UPDATE
   SET count = d.count + excluded.count,
       last_request_id = CASE WHEN excluded.last_seen_at >= d.last_seen_at THEN excluded.last_request_id
                              ELSE d.last_request_id END,
       first_seen_at = least(d.first_seen_at, excluded.first_seen_at),
       last_seen_at = greatest(d.last_seen_at, excluded.last_seen_at)

-- name: trim
-- Keeps of each of these directories the $2 that were seen last.
DELETE FROM directory_diagnostic d USING (
  SELECT r.* FROM (
    SELECT x.directory_id, x.resource_type, x.path, x.reason,
           row_number() OVER (PARTITION BY x.directory_id ORDER BY x.last_seen_at DESC, x.resource_type, x.path, x.reason) AS n
      FROM directory_diagnostic x WHERE x.directory_id = ANY ($1::text[])) AS r
   WHERE r.n > $2::bigint) AS k
 WHERE d.directory_id = k.directory_id AND d.resource_type = k.resource_type AND d.path = k.path AND d.reason = k.reason

-- name: of_directory
-- What a directory's provider sent and could not be understood, what was seen last first.
SELECT d.resource_type, d.path, d.reason, d.count, d.first_seen_at, d.last_seen_at, d.last_request_id
  FROM directory_diagnostic d WHERE d.directory_id = $1
 ORDER BY d.last_seen_at DESC, d.resource_type, d.path, d.reason LIMIT $2
