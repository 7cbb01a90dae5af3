-- What applications add: domains and notes of organizations, links to the portal, calls that are carried out once.

-- The application's own notes: keys and texts.
ALTER TABLE organization ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';

-- A domain belongs to one organization at a time.
CREATE TABLE organization_domain (
  id text COLLATE "C" PRIMARY KEY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organization (id),
  domain text COLLATE "C" NOT NULL UNIQUE,
  verified boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX organization_domain_organization ON organization_domain (organization_id, id);

ALTER TABLE api_key ADD COLUMN membership_update_time boolean NOT NULL DEFAULT false;

-- A link is opened once; the session that it opened then is in the same row. Only the SHA-256 of either secret is kept.
CREATE TABLE portal_link (
  id text COLLATE "C" PRIMARY KEY,
  organization_id text COLLATE "C" NOT NULL REFERENCES organization (id),
  intent text NOT NULL,
  return_url text NOT NULL,
  success_url text NOT NULL,
  external_user_id text COLLATE "C" NOT NULL,
  it_contact_emails text[] NOT NULL,
  secret_sha256 bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  redeemed_at timestamptz,
  revoked_at timestamptz,
  session_id text COLLATE "C",
  session_sha256 bytea UNIQUE,
  session_expires_at timestamptz
);
CREATE INDEX portal_link_person ON portal_link (organization_id, external_user_id);
CREATE INDEX portal_link_session ON portal_link (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX portal_link_expires ON portal_link (expires_at);

-- Answers to calls that bore an idempotency key, written by the transaction of their effect. What the key is, the server
-- forgets: `response` is encrypted with it.
CREATE TABLE idempotent_call (
  caller_id text COLLATE "C" NOT NULL,
  key_sha256 bytea NOT NULL,
  request_sha256 bytea NOT NULL,
  response bytea,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (caller_id, key_sha256)
);
CREATE INDEX idempotent_call_created ON idempotent_call (created_at);
