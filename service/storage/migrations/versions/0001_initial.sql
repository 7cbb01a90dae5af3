-- The first schema. Every key of a hot table starts with the directory, and no unique key of one lacks it, so that the
-- tables can be sharded by directory. Keys compare by bytes (COLLATE "C"): no index depends on a locale.

CREATE TABLE organization (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  external_id text COLLATE "C" UNIQUE,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz                       -- kept for the events of its directories, seen by nobody else
);
CREATE INDEX organization_name ON organization (name);

CREATE TABLE directory (
  id text COLLATE "C" PRIMARY KEY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organization (id),
  name text NOT NULL,
  provider text NOT NULL,
  state text NOT NULL CHECK (state IN ('unlinked', 'linked', 'disabled', 'deleted')),
  scim_key text COLLATE "C" NOT NULL UNIQUE,
  policy jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  linked_at timestamptz,
  deleted_at timestamptz
);
CREATE INDEX directory_organization ON directory (organization_id, id);

-- The number of each directory's newest event. Its row lock orders the writers of a directory, hence a table of its own.
CREATE TABLE head (
  directory_id text COLLATE "C" PRIMARY KEY,
  seq bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE directory_token (
  directory_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  secret_sha256 bytea NOT NULL,
  suffix text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (directory_id, id)
);
CREATE INDEX directory_token_secret ON directory_token (secret_sha256);

CREATE TABLE api_key (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  secret_sha256 bytea NOT NULL UNIQUE,
  suffix text NOT NULL,
  scopes text[] NOT NULL,
  organization_ids text[] NOT NULL,
  directory_ids text[] NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

CREATE TABLE directory_user (
  directory_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  user_name text COLLATE "C" NOT NULL,
  user_key text COLLATE "C" NOT NULL,          -- userName, NFKC and case-folded by the service
  external_id text COLLATE "C",
  email_keys text[] COLLATE "C" NOT NULL,      -- every address, case-folded; the primary one first
  active boolean NOT NULL,
  version bigint NOT NULL,
  document jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  hidden boolean NOT NULL DEFAULT false,       -- deleted as far as the application knows, kept for its provider
  PRIMARY KEY (directory_id, id),
  CONSTRAINT directory_user_user_key UNIQUE (directory_id, user_key)
) WITH (fillfactor = 85);
CREATE INDEX directory_user_external_id ON directory_user (directory_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX directory_user_email ON directory_user USING gin (email_keys);
CREATE INDEX directory_user_id ON directory_user (id);

CREATE TABLE directory_group (
  directory_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  display_name text COLLATE "C" NOT NULL,
  name_key text COLLATE "C" NOT NULL,          -- displayName, NFKC and case-folded by the service
  external_id text COLLATE "C",
  idp_id text COLLATE "C" NOT NULL,            -- externalId, else the displayName it was created with
  version bigint NOT NULL,
  document jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (directory_id, id)
) WITH (fillfactor = 70);
CREATE INDEX directory_group_name ON directory_group (directory_id, name_key);
CREATE INDEX directory_group_external_id ON directory_group (directory_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX directory_group_id ON directory_group (id);

CREATE TABLE membership (
  directory_id text COLLATE "C" NOT NULL,
  group_id text COLLATE "C" NOT NULL,
  member_id text COLLATE "C" NOT NULL,
  member_type text NOT NULL CHECK (member_type IN ('User', 'Group')),
  created_at timestamptz NOT NULL,
  display text,                                -- as the provider sent it; else the member's name is shown
  PRIMARY KEY (directory_id, group_id, member_id)
);
CREATE INDEX membership_member ON membership (directory_id, member_id, group_id);

-- References to members that do not exist yet, as the provider sent them. They become memberships when a user or group
-- with that externalId or name arrives.
CREATE TABLE pending_member (
  directory_id text COLLATE "C" NOT NULL,
  group_id text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  value_key text COLLATE "C" NOT NULL,         -- folded like a userName
  created_at timestamptz NOT NULL,
  PRIMARY KEY (directory_id, group_id, value)
);
CREATE INDEX pending_member_key ON pending_member (directory_id, value_key);

-- The log. xid lets the sequencer find what was committed since it last looked; it never leaves the database.
CREATE TABLE event (
  directory_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  day date NOT NULL,
  gid bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  id text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  entity_id text COLLATE "C" NOT NULL,
  entity_version bigint NOT NULL,
  transaction_end boolean NOT NULL,
  created_at timestamptz NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (directory_id, seq, day)
) PARTITION BY RANGE (day);
CREATE INDEX event_xid ON event (xid);
-- Takes what no day's partition takes, so that a clock that jumps cannot stop a write.
CREATE TABLE event_default PARTITION OF event DEFAULT;

-- The order across directories: a position for every committed event. All events of a command stand together.
CREATE TABLE feed (
  pos bigint PRIMARY KEY,
  directory_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  day date NOT NULL,
  transaction_end boolean NOT NULL
);

-- One row: which database this is and what retention has dropped. Its row lock is the fence between sequencers.
CREATE TABLE feed_state (
  id smallint PRIMARY KEY CHECK (id = 1),
  epoch text COLLATE "C" NOT NULL,
  oldest_pos bigint NOT NULL DEFAULT 0,        -- readers may begin here or behind it
  oldest_day date NOT NULL DEFAULT '-infinity',          -- days before it lie at or before oldest_pos
  oldest_set_at timestamptz NOT NULL DEFAULT '-infinity',
  system_identifier bigint NOT NULL,
  timeline integer NOT NULL,
  database_oid oid NOT NULL,
  relation_oid oid NOT NULL                    -- of this table: a dump restored over its own database makes a new one
);

-- How far the sequencer came, one row for each time it found something; the newest counts. Rows are added, never
-- changed: a row changed a hundred times a second is slow to find while some old transaction keeps its versions alive.
CREATE TABLE feed_tick (
  tick bigint PRIMARY KEY,
  pos bigint NOT NULL,                         -- newest position given
  gid bigint NOT NULL,                         -- greatest event.gid among the events with a position
  snap pg_snapshot NOT NULL,                   -- what it sees has a position
  day_floor date NOT NULL,                     -- no event of an earlier day is without a position
  next_day date NOT NULL,                      -- becomes the floor when every transaction before next_xid has ended
  next_xid xid8 NOT NULL
);

-- Written once a day: every event of an earlier day has a position up to pos.
CREATE TABLE feed_day (
  day date PRIMARY KEY,
  pos bigint NOT NULL
);

-- Epochs that ended because the database was replaced or rolled back, and what of them is still true here.
CREATE TABLE feed_epoch (
  epoch text COLLATE "C" PRIMARY KEY,
  end_pos bigint NOT NULL,
  end_gid bigint NOT NULL,
  ended_at timestamptz NOT NULL
);
