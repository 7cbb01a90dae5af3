-- What time travel and look-ups by event id need.

-- since_seq: number of the event from which on the membership holds; 0 for those older than this column.
ALTER TABLE membership ADD COLUMN since_seq bigint NOT NULL DEFAULT 0;

-- Memberships that ended, as long as the log reaches back. A membership held from the event since_seq on, until the event
-- ended_seq ended it: with the rows of membership this tells who was in which group at any number of a directory.
CREATE TABLE ended_membership (
  directory_id text COLLATE "C" NOT NULL,
  group_id text COLLATE "C" NOT NULL,
  member_id text COLLATE "C" NOT NULL,
  ended_seq bigint NOT NULL,
  since_seq bigint NOT NULL,
  member_type text NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (directory_id, group_id, member_id, ended_seq)
);
CREATE INDEX ended_membership_member ON ended_membership (directory_id, member_id, ended_seq);
CREATE INDEX ended_membership_ended_at ON ended_membership USING brin (ended_at);

-- Events by id, wherever they are: cursors of those who know no other.
CREATE INDEX event_id ON event (id);
-- Events of one user or group. Those of memberships and directories have no version.
CREATE INDEX event_entity ON event (directory_id, entity_id, seq) WHERE entity_version > 0;
-- Position of a directory's event, and number of a directory at a position.
CREATE INDEX feed_directory ON feed (directory_id, seq) INCLUDE (pos);
