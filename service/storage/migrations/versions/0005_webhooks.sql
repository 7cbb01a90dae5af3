-- Webhook endpoints, what was sent to them, what waits, and what is sent again.

-- secrets: [{value, created_at, expires_at}], newest first; a value is sealed when the operator gave a key, else plain.
-- changed: value of webhook_change when a dispatcher last needed to hear of this row. Deleted rows stay until their
-- deliveries are gone.
CREATE TABLE webhook_endpoint (
  id text COLLATE "C" PRIMARY KEY,
  url text NOT NULL,
  description text NOT NULL,
  status text NOT NULL CHECK (status IN ('enabled', 'disabled')),
  status_reason text NOT NULL DEFAULT '',
  secrets jsonb NOT NULL,
  subscription_id text COLLATE "C" NOT NULL,
  directory_ids text[] NOT NULL,
  organization_ids text[] NOT NULL,
  types text[] NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  failing_since timestamptz,
  deleted_at timestamptz,
  changed bigint NOT NULL
);
CREATE UNIQUE INDEX webhook_endpoint_url_key ON webhook_endpoint (url) WHERE deleted_at IS NULL;
CREATE INDEX webhook_endpoint_changed ON webhook_endpoint (changed);

-- One row, one number: counts changes of endpoints and replays in the order of their commits.
CREATE TABLE webhook_change (
  id integer PRIMARY KEY CHECK (id = 1),
  version bigint NOT NULL
);
INSERT INTO webhook_change (id, version) VALUES (1, 1);

-- One event on its way to one endpoint. attempts: [{number, at, ms, status, error, body, url}], oldest first, body in base64.
-- Ids are ULIDs: their order is that of time, which the purge uses.
CREATE TABLE webhook_delivery (
  endpoint_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  event_type text NOT NULL,
  directory_id text COLLATE "C" NOT NULL,
  state text NOT NULL CHECK (state IN ('retrying', 'succeeded', 'failed')),
  attempt_count integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  next_attempt_at timestamptz,
  response_status integer NOT NULL,
  attempts jsonb NOT NULL,
  PRIMARY KEY (endpoint_id, id)
) WITH (fillfactor = 95);
CREATE INDEX webhook_delivery_event ON webhook_delivery (endpoint_id, event_id);
CREATE INDEX webhook_delivery_unwell ON webhook_delivery (endpoint_id, state, id) WHERE state <> 'succeeded';

-- Directories whose events wait for one that fails. What waits is read from the log behind `cursor`.
CREATE TABLE webhook_lane (
  endpoint_id text COLLATE "C" NOT NULL,
  directory_id text COLLATE "C" NOT NULL,
  directory_seq bigint NOT NULL,
  attempt_count integer NOT NULL,
  next_attempt_at timestamptz NOT NULL,
  delivery_id text NOT NULL,
  cursor text NOT NULL,
  PRIMARY KEY (endpoint_id, directory_id)
);

-- Events that are sent to an endpoint once more. One of event_id, start_at, test_event_type says which.
CREATE TABLE webhook_replay (
  endpoint_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_id text,
  start_at timestamptz,
  end_at timestamptz,
  test_event_type text,
  created_at timestamptz NOT NULL,
  completed_at timestamptz,
  delivered_count bigint NOT NULL DEFAULT 0,
  cursor text NOT NULL DEFAULT '',
  error text NOT NULL DEFAULT '',
  PRIMARY KEY (endpoint_id, id)
);
CREATE INDEX webhook_replay_unfinished ON webhook_replay (endpoint_id, id) WHERE completed_at IS NULL;
