-- What a directory's provider sent and could not be understood: where and why, never the value. One row for each kind.
CREATE TABLE directory_diagnostic (
  directory_id text COLLATE "C" NOT NULL,
  resource_type text COLLATE "C" NOT NULL CHECK (resource_type IN ('User', 'Group')),
  path text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  last_request_id text NOT NULL,
  PRIMARY KEY (directory_id, resource_type, path, reason)
);
