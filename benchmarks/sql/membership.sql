-- One W4 operation: a membership row and its event, in one durable transaction.
\set n random(1, 4611686018427387904)
WITH m AS (
  INSERT INTO bench_membership (group_id, member_id) VALUES ('g', (:n::bigint)::text) RETURNING group_id, member_id)
INSERT INTO bench_event (directory_id, user_id, payload) SELECT group_id, member_id, '\x00'::bytea FROM m;
