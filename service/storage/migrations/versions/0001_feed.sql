-- The sequencer's side of the log: positions, epochs, retention.

-- Gives the events of one statement their positions behind p_after and returns the newest; NULL without events.
-- Commands stay whole, ordered by the newest gid of each: gids are drawn under the lock of the directory's head, so
-- this is the order of the directory's commits, and what a committed command caused comes behind it.
CREATE FUNCTION place_in_feed_v1(
  p_after bigint, p_dirs text[], p_seqs bigint[], p_days date[], p_gids bigint[], p_ends boolean[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  newest bigint;
BEGIN
  WITH parted AS (
    SELECT e.*, count(*) FILTER (WHERE e.e) OVER (
             PARTITION BY e.d ORDER BY e.s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS command
      FROM unnest(p_dirs, p_seqs, p_days, p_gids, p_ends) AS e (d, s, y, g, e)
  ), ranked AS (
    SELECT p.*, max(p.g) OVER (PARTITION BY p.d, p.command) AS command_gid FROM parted p
  ), placed AS (
    INSERT INTO feed (pos, directory_id, seq, day, transaction_end)
      SELECT p_after + row_number() OVER (ORDER BY r.command_gid, r.s), r.d, r.s, r.y, r.e FROM ranked r
    RETURNING pos
  )
  SELECT max(pos) INTO newest FROM placed;
  RETURN newest;
END $$;

-- Gives positions to what was committed since the snapshot of the newest tick, tells listeners once, and returns the
-- newest position. The row lock on feed_state is the fence: rivals wait for each other and do no harm.
-- Planned anew each time: only a plan that knows the days leaves the other partitions alone.
CREATE FUNCTION sequence_feed_v1(p_hinted boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  last feed_tick%ROWTYPE;
  upper xid8;
  running xid8[];
  today date;
  low date;
  found_pos bigint;
  found_gid bigint;
  now_snap pg_snapshot;
  floor_rises boolean;
BEGIN
  -- Without a hint, look before locking: an idle poll writes nothing.
  IF NOT p_hinted THEN
    SELECT * INTO last FROM feed_tick ORDER BY tick DESC LIMIT 1;
    upper := pg_snapshot_xmax(last.snap);
    running := ARRAY(SELECT pg_snapshot_xip(last.snap));
    today := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    low := least(last.day_floor, today - 1);
    IF last.next_day = today
       AND (last.next_day <= last.day_floor + 1 OR pg_snapshot_xmin(pg_current_snapshot()) < last.next_xid)
       AND NOT EXISTS (SELECT 1 FROM event e WHERE e.xid >= upper AND e.day >= low AND e.day <= today + 1)
       AND NOT EXISTS (SELECT 1 FROM event e WHERE e.xid = ANY (running) AND e.day >= low AND e.day <= today + 1)
    THEN
      RETURN last.pos;
    END IF;
  END IF;

  PERFORM 1 FROM feed_state WHERE id = 1 FOR UPDATE;
  SELECT * INTO STRICT last FROM feed_tick ORDER BY tick DESC LIMIT 1;
  upper := pg_snapshot_xmax(last.snap);
  running := ARRAY(SELECT pg_snapshot_xip(last.snap));
  today := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  low := least(last.day_floor, today - 1);

  -- One statement, one snapshot: what it sees is exactly what the snapshot it returns covers. The bounds are
  -- parameters, so that the index on xid is used; the days keep all other partitions out of it.
  WITH fresh AS (
    SELECT e.directory_id, e.seq, e.day, e.gid, e.transaction_end FROM event e
     WHERE e.xid >= upper AND e.day >= low AND e.day <= today + 1
    UNION ALL
    SELECT e.directory_id, e.seq, e.day, e.gid, e.transaction_end FROM event e
     WHERE e.xid = ANY (running) AND e.day >= low AND e.day <= today + 1
  )
  SELECT place_in_feed_v1(last.pos, array_agg(f.directory_id), array_agg(f.seq), array_agg(f.day), array_agg(f.gid),
                          array_agg(f.transaction_end)), max(f.gid), pg_current_snapshot()
    INTO found_pos, found_gid, now_snap FROM fresh f;

  -- Nothing new: the snapshot may stay as it is, but for the day's sake.
  floor_rises := last.next_day > last.day_floor + 1 AND pg_snapshot_xmin(now_snap) >= last.next_xid;
  IF found_pos IS NULL AND NOT floor_rises AND last.next_day = today THEN
    RETURN last.pos;
  END IF;

  INSERT INTO feed_tick (tick, pos, gid, snap, day_floor, next_day, next_xid) VALUES (
    last.tick + 1, coalesce(found_pos, last.pos), greatest(last.gid, found_gid), now_snap,
    -- A day's slack, for a clock that is set back a little.
    CASE WHEN floor_rises THEN last.next_day - 1 ELSE last.day_floor END,
    greatest(last.next_day, today),
    CASE WHEN last.next_day < today THEN pg_snapshot_xmax(now_snap) ELSE last.next_xid END);
  IF floor_rises THEN
    INSERT INTO feed_day (day, pos) VALUES (last.next_day, coalesce(found_pos, last.pos)) ON CONFLICT DO NOTHING;
  END IF;
  IF last.tick % 256 = 0 THEN
    DELETE FROM feed_tick WHERE tick < last.tick;
  END IF;
  IF found_pos IS NOT NULL THEN
    PERFORM pg_notify('directorysync_feed', found_pos::text);
  END IF;
  RETURN coalesce(found_pos, last.pos);
END $$;

-- What tells this database from every other one that the rows of feed_state may have come to.
CREATE FUNCTION feed_identity_v1(
  OUT system_identifier bigint, OUT timeline integer, OUT database_oid oid, OUT relation_oid oid
) LANGUAGE sql STABLE AS $$
  SELECT (SELECT c.system_identifier FROM pg_control_system() c),
         -- The control file names a new timeline only after a promoted standby's first checkpoint; this does at once.
         ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer,
         (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()),
         'feed_state'::regclass::oid;
$$;

-- Whether the sequencer knows this database as it is now.
CREATE FUNCTION feed_is_here_v1() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT (s.system_identifier, s.timeline, s.database_oid, s.relation_oid)
         = (h.system_identifier, h.timeline, h.database_oid, h.relation_oid)
    FROM feed_state s, feed_identity_v1() h WHERE s.id = 1;
$$;

-- Makes the state of the feed, or finds out that this is not the database it was made in. Returns `new`, `same`,
-- `promoted` (another timeline of the same cluster: a standby, a point in time) or `replaced` (a dump restored).
-- In the latter two p_epoch begins: what the old epoch has up to here stays true, its later positions never come again.
CREATE FUNCTION claim_feed_v1(p_epoch text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  here record;
  state feed_state%ROWTYPE;
  last feed_tick%ROWTYPE;
  next feed_tick%ROWTYPE;
  base_pos bigint;
  low_xid xid8;
BEGIN
  SELECT * INTO here FROM feed_identity_v1();
  INSERT INTO feed_state (id, epoch, system_identifier, timeline, database_oid, relation_oid)
    VALUES (1, p_epoch, here.system_identifier, here.timeline, here.database_oid, here.relation_oid)
    ON CONFLICT (id) DO NOTHING;
  IF FOUND THEN
    -- 3 is the first id that transactions get: whatever was committed before now counts as new.
    INSERT INTO feed_tick VALUES (1, 0, 0, '3:3:', '-infinity', '-infinity', '3');
    RETURN 'new';
  END IF;
  SELECT * INTO STRICT state FROM feed_state WHERE id = 1 FOR UPDATE;
  IF feed_is_here_v1() THEN
    RETURN 'same';
  END IF;

  SELECT * INTO STRICT last FROM feed_tick ORDER BY tick DESC LIMIT 1;
  base_pos := last.pos + 1000000;
  INSERT INTO feed_epoch (epoch, end_pos, end_gid, ended_at) VALUES (state.epoch, last.pos, last.gid, clock_timestamp());
  UPDATE feed_state SET epoch = p_epoch, system_identifier = here.system_identifier, timeline = here.timeline,
         database_oid = here.database_oid, relation_oid = here.relation_oid WHERE id = 1;
  next := last;
  next.tick := last.tick + 1;
  next.pos := base_pos;
  IF (state.system_identifier, state.database_oid, state.relation_oid)
     = (here.system_identifier, here.database_oid, here.relation_oid) THEN
    -- The write-ahead log up to the branch brought the snapshot and the transactions that it names alike.
    INSERT INTO feed_tick SELECT next.*;
    PERFORM pg_notify('directorysync_feed', base_pos::text);
    RETURN 'promoted';
  END IF;

  -- Transaction ids of another cluster mean nothing here and may yet be given out. In one statement, under one
  -- snapshot: events without a position get one, and ids from which one could still wait are taken away.
  low_xid := pg_snapshot_xmin(pg_current_snapshot());
  WITH done AS (
    SELECT f.directory_id, max(f.seq) AS seq FROM feed f GROUP BY f.directory_id
  ), fresh AS (
    SELECT e.directory_id, e.seq, e.day, e.gid, e.transaction_end
      FROM event e LEFT JOIN done d ON d.directory_id = e.directory_id
     WHERE e.seq > d.seq OR (d.seq IS NULL AND e.day >= state.oldest_day)
  ), forgotten AS (
    UPDATE event e SET xid = '3' WHERE e.xid >= low_xid
  )
  SELECT coalesce(place_in_feed_v1(base_pos, array_agg(f.directory_id), array_agg(f.seq), array_agg(f.day),
                                   array_agg(f.gid), array_agg(f.transaction_end)), base_pos),
         greatest(last.gid, max(f.gid)), pg_current_snapshot()
    INTO next.pos, next.gid, next.snap FROM fresh f;
  next.day_floor := '-infinity';
  next.next_day := '-infinity';
  next.next_xid := '3';
  INSERT INTO feed_tick SELECT next.*;
  PERFORM pg_notify('directorysync_feed', next.pos::text);
  RETURN 'replaced';
END $$;

-- Retention, first half: readers behind the events of days before p_day are told CURSOR_EXPIRED from now on.
CREATE FUNCTION move_feed_floor_v1(p_day date) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  UPDATE feed_state s SET oldest_pos = d.pos, oldest_day = d.day, oldest_set_at = clock_timestamp()
    FROM (SELECT day, pos FROM feed_day WHERE day <= p_day ORDER BY day DESC LIMIT 1) d
   WHERE s.id = 1 AND d.pos >= s.oldest_pos AND d.day > s.oldest_day;
  SELECT oldest_pos FROM feed_state WHERE id = 1;
$$;

-- Retention, second half: drops partitions that lie below a floor which every reader has had p_grace to see, with a
-- day's slack. Every event in them has a position (feed_day). Returns how many were dropped.
CREATE FUNCTION drop_expired_events_v1(p_grace interval) RETURNS integer LANGUAGE plpgsql VOLATILE
SET lock_timeout = '200ms' AS $$
DECLARE
  state feed_state%ROWTYPE;
  part record;
  dropped integer := 0;
BEGIN
  SELECT * INTO state FROM feed_state WHERE id = 1;
  IF NOT FOUND OR state.oldest_set_at > clock_timestamp() - p_grace OR NOT isfinite(state.oldest_day) THEN
    RETURN 0;
  END IF;
  FOR part IN
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'event'::regclass AND c.relname ~ '^event_\d{8}$'
       AND to_date(substr(c.relname, 7), 'YYYYMMDD') < state.oldest_day - 1
     ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %I', part.name);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM event_default WHERE day < state.oldest_day - 1;
  RETURN dropped;
END $$;

-- Deletes up to p_limit positions at or below the floor; returns how many.
CREATE FUNCTION trim_feed_v1(p_limit integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  done integer;
BEGIN
  DELETE FROM feed WHERE pos <= (SELECT s.oldest_pos FROM feed_state s WHERE s.id = 1)
     AND pos < (SELECT min(f.pos) FROM feed f) + p_limit;
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $$;

-- The position behind the last event committed before p_time. created_at nearly follows the order of positions: the
-- search aims some seconds lower and walks the rest, so that replicas whose clocks differ cannot hide an event.
CREATE FUNCTION feed_position_at_v1(p_time timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint := (SELECT s.oldest_pos FROM feed_state s WHERE s.id = 1);
  newest bigint := (SELECT t.pos FROM feed_tick t ORDER BY t.tick DESC LIMIT 1);
  high bigint := newest;
  middle bigint;
  row_pos bigint;
  row_time timestamptz;
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    SELECT f.pos, e.created_at INTO row_pos, row_time
      FROM (SELECT * FROM feed WHERE pos > middle ORDER BY pos LIMIT 1) f
      LEFT JOIN event e ON e.directory_id = f.directory_id AND e.seq = f.seq AND e.day = f.day;
    IF row_pos IS NULL OR row_time >= p_time - interval '5 seconds' THEN
      high := middle;
    ELSE
      low := row_pos;
    END IF;
  END LOOP;
  FOR row_pos, row_time IN
    SELECT f.pos, e.created_at FROM feed f
      CROSS JOIN LATERAL (SELECT x.created_at FROM event x
                           WHERE x.directory_id = f.directory_id AND x.seq = f.seq AND x.day = f.day OFFSET 0) e
     WHERE f.pos > low ORDER BY f.pos
  LOOP
    IF row_time >= p_time THEN
      RETURN row_pos - 1;
    END IF;
  END LOOP;
  RETURN newest;
END $$;
