-- Gives positions to what was committed since the snapshot of the newest tick, as in 0001, at a cost that depends on
-- what is new and not on what the day holds so far: with two bounds on the day and no statistics, as on each new day,
-- PostgreSQL read the whole day's key beside the index on xid. With one bound, which keeps out the days that are over,
-- without bitmaps, and with a probe for each transaction that was running it takes the index on xid alone, whatever the
-- statistics say. Such a plan can be kept: planning was a third of the call.
CREATE OR REPLACE FUNCTION sequence_feed_v1(p_hinted boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
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
       AND NOT EXISTS (SELECT 1 FROM event e WHERE e.xid >= upper AND e.day >= low)
       AND NOT EXISTS (SELECT 1 FROM unnest(running) AS r (xid) CROSS JOIN LATERAL (
                         SELECT 1 FROM event x WHERE x.xid = r.xid AND x.day >= low OFFSET 0) e)
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

  -- One statement, one snapshot: what it sees is exactly what the snapshot it returns covers.
  WITH fresh AS (
    SELECT e.directory_id, e.seq, e.day, e.gid, e.transaction_end FROM event e
     WHERE e.xid >= upper AND e.day >= low
    UNION ALL
    SELECT e.* FROM unnest(running) AS r (xid) CROSS JOIN LATERAL (
      SELECT x.directory_id, x.seq, x.day, x.gid, x.transaction_end FROM event x
       WHERE x.xid = r.xid AND x.day >= low OFFSET 0) e
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
