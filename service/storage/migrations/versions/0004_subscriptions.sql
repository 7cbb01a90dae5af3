-- Named subscriptions: how far each reader came, and who reads now.

-- kind: `named` (made by administrators) or `webhook` (owned by an endpoint, named by its own id, listed nowhere).
-- The filter is directory_ids, organization_ids, types; empty means every one. bound_*: what the maker's key was bound to,
-- which narrows the filter at each read. reach_*: what filter and bounds together can reach, empty: no limit known; who is
-- bound himself sees only what lies within his own bounds.
-- Everything up to position `place` of the feed is acknowledged, and `cursor` says so.
-- The lease: a reader may move the row only while lease_epoch is the one it was given. lease_until: NULL when nobody reads.
-- sent_place: last position that was sent and is not known to be acknowledged; NULL: none. redelivery_count: how often
-- what lies between place and sent_place was sent.
CREATE TABLE subscription (
  id text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('named', 'webhook')),
  name text COLLATE "C" NOT NULL UNIQUE,
  directory_ids text[] NOT NULL,
  organization_ids text[] NOT NULL,
  types text[] NOT NULL,
  bound_directory_ids text[] NOT NULL,
  bound_organization_ids text[] NOT NULL,
  reach_directory_ids text[] NOT NULL,
  reach_organization_ids text[] NOT NULL,
  cursor text NOT NULL,
  place bigint NOT NULL,
  created_at timestamptz NOT NULL,
  acked_at timestamptz,
  consumer text NOT NULL DEFAULT '',
  lease_epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  sent_place bigint,
  redelivery_count integer NOT NULL DEFAULT 0,
  last_error text NOT NULL DEFAULT '',
  last_error_at timestamptz
) WITH (fillfactor = 70);
