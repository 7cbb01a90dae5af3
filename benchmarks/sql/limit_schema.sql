-- What the limit works on: a user row with a unique index on the lower-cased name, an event row, a membership row.
CREATE TABLE bench_user (
  directory_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  user_name text COLLATE "C" NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  document jsonb NOT NULL,
  PRIMARY KEY (directory_id, id)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX bench_user_name ON bench_user (directory_id, lower(user_name));
CREATE TABLE bench_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  directory_id text NOT NULL,
  user_id text NOT NULL,
  payload bytea NOT NULL
);
CREATE TABLE bench_membership (
  group_id text COLLATE "C" NOT NULL,
  member_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (group_id, member_id)
);
-- Ten thousand and a hundred thousand users to look up, to list and to update.
INSERT INTO bench_user (directory_id, id, user_name, document)
  SELECT 'd' || size, lpad(i::text, 12, '0'), 'User' || i || '@example.com', jsonb_build_object(
           'userName', 'User' || i || '@example.com', 'title', 'Engineer', 'filling', repeat('x', 900))
    FROM unnest(ARRAY[10000, :large]) AS size, generate_series(1, size) AS i;
VACUUM ANALYZE bench_user;
