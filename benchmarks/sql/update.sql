-- One W2 operation: two values of the document replaced, with its event, in one durable transaction.
\set n random(1, 10000)
\set v random(1, 4611686018427387904)
WITH u AS (
  UPDATE bench_user
     SET document = jsonb_set(jsonb_set(document, '{title}', to_jsonb('Title ' || :v::bigint)),
                              '{department}', to_jsonb('Title ' || :v::bigint)),
         version = version + 1
   WHERE directory_id = 'd10000' AND id = lpad(:n::text, 12, '0')
  RETURNING directory_id, id, document)
INSERT INTO bench_event (directory_id, user_id, payload)
  SELECT directory_id, id, convert_to(document::text, 'UTF8') FROM u;
