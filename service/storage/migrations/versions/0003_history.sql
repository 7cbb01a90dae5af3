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

-- The functions of a group commit that know the history of memberships; the older ones would leave holes in it.
DROP FUNCTION write_batch_v1(jsonb, bytea[], timestamptz);
DROP FUNCTION end_memberships_v1(jsonb, timestamptz);

-- Writes everything a batch decided: rows first, removals last, then the events. Each part is one statement.
-- p: {users, groups, added, awaited, ended: rows as in the tables; removed, unawaited: [[directory, group, member or value]];
--     stored_ended: [[directory, group, member, ended_seq]]; renamed, unawaited_groups: [[directory, id]];
--     gone_users, gone_groups: [[directory, id, ended_seq]]; heads, events: as append_events_v1 takes them}
CREATE FUNCTION write_batch_v2(p jsonb, p_payloads bytea[], p_at timestamptz) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- Users that go do so before the rows of others come, so that a name set free in this batch can be taken in it.
  IF p ? 'gone_users' THEN
    DELETE FROM directory_user u USING jsonb_array_elements(p->'gone_users') AS k
     WHERE u.directory_id = k->>0 AND u.id = k->>1;
  END IF;
  IF p ? 'renamed' THEN
    -- Nor may a row keep a userName that another row of this batch takes over: names are freed first.
    UPDATE directory_user u SET user_key = E'\x01' || u.id FROM jsonb_array_elements(p->'renamed') AS k
     WHERE u.directory_id = k->>0 AND u.id = k->>1;
  END IF;
  IF p ? 'users' THEN
    INSERT INTO directory_user SELECT * FROM jsonb_populate_recordset(NULL::directory_user, p->'users')
      ON CONFLICT (directory_id, id) DO UPDATE
         SET user_name = excluded.user_name, user_key = excluded.user_key, external_id = excluded.external_id,
             email_keys = excluded.email_keys, active = excluded.active, hidden = excluded.hidden,
             version = excluded.version, document = excluded.document, updated_at = excluded.updated_at;
  END IF;
  IF p ? 'groups' THEN
    INSERT INTO directory_group SELECT * FROM jsonb_populate_recordset(NULL::directory_group, p->'groups')
      ON CONFLICT (directory_id, id) DO UPDATE
         SET display_name = excluded.display_name, name_key = excluded.name_key, external_id = excluded.external_id,
             idp_id = excluded.idp_id, version = excluded.version, document = excluded.document,
             updated_at = excluded.updated_at;
  END IF;
  -- Ahead of what begins: a member that went and came again in this batch has one row of each kind.
  IF p ? 'stored_ended' THEN
    INSERT INTO ended_membership (directory_id, group_id, member_id, ended_seq, since_seq, member_type, created_at, ended_at)
      SELECT m.directory_id, m.group_id, m.member_id, (k->>3)::bigint, m.since_seq, m.member_type, m.created_at, p_at
        FROM jsonb_array_elements(p->'stored_ended') AS k
        JOIN membership m ON m.directory_id = k->>0 AND m.group_id = k->>1 AND m.member_id = k->>2
      ON CONFLICT DO NOTHING;
  END IF;
  IF p ? 'ended' THEN
    INSERT INTO ended_membership SELECT * FROM jsonb_populate_recordset(NULL::ended_membership, p->'ended')
      ON CONFLICT DO NOTHING;
  END IF;
  IF p ? 'added' THEN
    INSERT INTO membership SELECT * FROM jsonb_populate_recordset(NULL::membership, p->'added')
      ON CONFLICT (directory_id, group_id, member_id) DO UPDATE
         SET since_seq = excluded.since_seq, created_at = excluded.created_at, display = excluded.display;
  END IF;
  IF p ? 'unawaited_groups' THEN
    DELETE FROM pending_member m USING jsonb_array_elements(p->'unawaited_groups') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1;
  END IF;
  IF p ? 'awaited' THEN
    INSERT INTO pending_member SELECT * FROM jsonb_populate_recordset(NULL::pending_member, p->'awaited')
      ON CONFLICT DO NOTHING;
  END IF;
  IF p ? 'unawaited' THEN
    DELETE FROM pending_member m USING jsonb_array_elements(p->'unawaited') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1 AND m.value = k->>2;
  END IF;
  IF p ? 'removed' THEN
    DELETE FROM membership m USING jsonb_array_elements(p->'removed') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1 AND m.member_id = k->>2;
  END IF;
  IF p ? 'gone_users' THEN
    PERFORM end_memberships_v2(p->'gone_users', p_at);
  END IF;
  IF p ? 'gone_groups' THEN
    DELETE FROM pending_member m USING jsonb_array_elements(p->'gone_groups') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1;
    WITH ended AS (
      DELETE FROM membership m USING jsonb_array_elements(p->'gone_groups') AS k
       WHERE m.directory_id = k->>0 AND m.group_id = k->>1
      RETURNING m.*, (k->>2)::bigint AS ended_seq
    )
    INSERT INTO ended_membership (directory_id, group_id, member_id, ended_seq, since_seq, member_type, created_at, ended_at)
      SELECT e.directory_id, e.group_id, e.member_id, e.ended_seq, e.since_seq, e.member_type, e.created_at, p_at
        FROM ended e WHERE e.since_seq < e.ended_seq
      ON CONFLICT DO NOTHING;
    PERFORM end_memberships_v2(p->'gone_groups', p_at);
    DELETE FROM directory_group g USING jsonb_array_elements(p->'gone_groups') AS k
     WHERE g.directory_id = k->>0 AND g.id = k->>1;
  END IF;
  IF p ? 'events' THEN
    PERFORM append_events_v1(p->'events', p_payloads, p->'heads', p_at);
  END IF;
END $$;

-- Ends the memberships of what is gone; the groups it was in have changed by that. p_gone: [[directory, id, ended_seq]].
CREATE FUNCTION end_memberships_v2(p_gone jsonb, p_at timestamptz) RETURNS void LANGUAGE sql VOLATILE AS $$
  WITH ended AS (
    DELETE FROM membership m USING jsonb_array_elements(p_gone) AS k
     WHERE m.directory_id = k->>0 AND m.member_id = k->>1
    RETURNING m.*, (k->>2)::bigint AS ended_seq
  ), kept AS (
    INSERT INTO ended_membership (directory_id, group_id, member_id, ended_seq, since_seq, member_type, created_at, ended_at)
      SELECT e.directory_id, e.group_id, e.member_id, e.ended_seq, e.since_seq, e.member_type, e.created_at, p_at
        FROM ended e WHERE e.since_seq < e.ended_seq
      ON CONFLICT DO NOTHING
  )
  UPDATE directory_group g SET version = g.version + 1, updated_at = p_at
    FROM (SELECT DISTINCT directory_id, group_id FROM ended) AS k
   WHERE g.directory_id = k.directory_id AND g.id = k.group_id;
$$;

-- Events are written once and read many times: compressing one of 2.5 kB costs four times what writing it does, and
-- reading it twice what it does lying in its row. They stay as they are, in the row up to 8 kB; users, up to 4 kB.
ALTER TABLE event ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE event_default SET (toast_tuple_target = 8160);
ALTER TABLE directory_user SET (toast_tuple_target = 4080);

-- As in 0001, with the storage parameter, which partitions do not inherit.
CREATE OR REPLACE FUNCTION ensure_event_partitions_v1(p_ahead integer) RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '200ms' AS $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  d date;
  made integer := 0;
  part text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7214600392) THEN
    RETURN 0;
  END IF;
  FOR d IN SELECT generate_series(today - 1, today + p_ahead, interval '1 day')::date LOOP
    part := 'event_' || to_char(d, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L) WITH (toast_tuple_target = 8160)',
                     part, d, d + 1);
      made := made + 1;
    EXCEPTION WHEN check_violation THEN
      NULL;
    END;
  END LOOP;
  RETURN made;
END $$;

DO $do$
DECLARE
  part regclass;
BEGIN
  FOR part IN SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'event'::regclass LOOP
    EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', part);
  END LOOP;
END $do$;

-- Number of a directory's newest event up to a position of the feed: one less than its oldest when that lies behind,
-- NULL when the feed has nothing of it. Positions grow with the numbers, so halving finds it.
CREATE FUNCTION directory_seq_at_v1(p_directory text, p_pos bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint;
  high bigint;
  middle bigint;
  middle_pos bigint;
BEGIN
  SELECT f.seq, f.pos INTO high, middle_pos FROM feed f WHERE f.directory_id = p_directory ORDER BY f.seq DESC LIMIT 1;
  IF high IS NULL OR middle_pos <= p_pos THEN
    RETURN high;
  END IF;
  SELECT f.seq - 1 INTO low FROM feed f WHERE f.directory_id = p_directory ORDER BY f.seq LIMIT 1;
  WHILE high - low > 1 LOOP
    middle := low + (high - low) / 2;
    SELECT f.pos INTO middle_pos FROM feed f WHERE f.directory_id = p_directory AND f.seq = middle;
    IF middle_pos > p_pos THEN
      high := middle;
    ELSE
      low := middle;
    END IF;
  END LOOP;
  RETURN low;
END $$;

-- Memberships that ended before a time are of no use to anyone: up to p_limit rows of them go. Returns how many went.
CREATE FUNCTION trim_history_v1(p_before timestamptz, p_limit integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  done integer;
BEGIN
  DELETE FROM ended_membership m WHERE m.ctid = ANY (ARRAY(
    SELECT e.ctid FROM ended_membership e WHERE e.ended_at < p_before LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $$;
-- What precedes a payload of so many bytes as the first field of a message: EventWire.frame makes the same, this is for those
-- who read whole pages. Not STRICT: only so it is inlined.
CREATE FUNCTION frame_start_v1(size integer) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN size < 128 THEN set_byte('\x0a00', 1, size)
  WHEN size < 16384 THEN set_byte(set_byte('\x0a0000', 1, size & 127 | 128), 2, size >> 7)
  WHEN size < 2097152 THEN
    set_byte(set_byte(set_byte('\x0a000000', 1, size & 127 | 128), 2, size >> 7 & 127 | 128), 3, size >> 14)
  ELSE
    set_byte(set_byte(set_byte(set_byte('\x0a00000000', 1, size & 127 | 128), 2, size >> 7 & 127 | 128),
                      3, size >> 14 & 127 | 128), 4, size >> 21)
END;
