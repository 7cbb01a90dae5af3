-- What users, groups and memberships were at a number of their directory.

-- Directories that were there before memberships knew their place in the log know it from this number on.
ALTER TABLE head ADD COLUMN history_seq bigint NOT NULL DEFAULT 0;
UPDATE head SET history_seq = seq;

-- Users and groups as they were behind numbers of their directories. p_directories, p_seqs: the moments; p_moments, p_ids:
-- whom, each at the moment of that place in them. p_whole: with documents and what is needed to undo a change; else names.
-- One row for each of whom, of kind `lost` (retention took what came behind the moment), `event` (the first event of it
-- behind the moment, and the newest up to it where the first is an update) or `now` (as it is now: a row of kind `user` or
-- `group` beside it, none when it is not there). Moments of directories that are gone have no rows.
-- `newest`: nothing came behind the moment; `at`: when the event at the moment was committed.
-- Planned once: with a partition for each day, planning costs more than probing. Each probe begins at one place of one
-- index: bounds by row keep the planner from reading the events of the whole directory in their order.
CREATE FUNCTION states_at_v1(p_directories text[], p_seqs bigint[], p_moments integer[], p_ids text[], p_whole boolean)
RETURNS TABLE (
  kind text, moment integer, id text, type text, payload bytea, earlier bytea, newest boolean, at timestamptz,
  directory_id text, organization_id text, name text, document text, idp_id text, version bigint, created_at timestamptz,
  updated_at timestamptz
) LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  -- No event behind any of the moments is of an earlier day: older partitions are not even opened.
  first_day date := (SELECT min(coalesce(f.day - 1, '-infinity')) FROM unnest(p_directories, p_seqs) AS w (directory_id, seq)
                       LEFT JOIN feed f ON f.directory_id = w.directory_id AND f.seq = w.seq);
BEGIN
  RETURN QUERY
  WITH moments AS MATERIALIZED (
    SELECT w.n::integer AS n, w.directory_id, w.seq, f.day, l.lowest, h.seq = w.seq AS newest,
           h.seq = w.seq OR EXISTS (SELECT FROM event x WHERE x.directory_id = w.directory_id AND x.seq = w.seq + 1
                                                          AND x.day >= l.lowest AND x.day >= first_day) AS kept
      FROM unnest(p_directories, p_seqs) WITH ORDINALITY AS w (directory_id, seq, n)
      JOIN head h ON h.directory_id = w.directory_id
      JOIN directory d ON d.id = w.directory_id AND d.state <> 'deleted'
      LEFT JOIN feed f ON f.directory_id = w.directory_id AND f.seq = w.seq
      -- A day's slack, for a clock that was set back a little.
     CROSS JOIN LATERAL (SELECT coalesce(f.day - 1, '-infinity') AS lowest) AS l
  ), probed AS MATERIALIZED (
    SELECT m.n, m.directory_id, w.id, m.kept, m.newest, m.seq, m.day, e.type, e.payload
      FROM unnest(p_moments, p_ids) AS w (n, id)
      JOIN moments m ON m.n = w.n
      LEFT JOIN LATERAL (
        SELECT x.type, x.payload FROM event x
         WHERE m.kept AND NOT m.newest AND x.directory_id = m.directory_id AND (x.entity_id, x.seq) > (w.id, m.seq)
           AND x.entity_id <= w.id AND x.entity_version > 0 AND x.day >= m.lowest AND x.day >= first_day
         ORDER BY x.entity_id, x.seq LIMIT 1) AS e ON true
  )
  SELECT CASE WHEN NOT p.kept THEN 'lost' WHEN p.type IS NULL THEN 'now' ELSE 'event' END, p.n, p.id, p.type, p.payload,
         b.payload, p.newest, t.created_at, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint,
         NULL::timestamptz, NULL::timestamptz
    FROM probed p
    LEFT JOIN LATERAL (
      SELECT x.payload FROM event x
       WHERE p_whole AND p.type IN ('dsync.user.updated', 'dsync.group.updated') AND x.directory_id = p.directory_id
         AND (x.entity_id, x.seq) <= (p.id, p.seq) AND x.entity_id >= p.id AND x.entity_version > 0
       ORDER BY x.entity_id DESC, x.seq DESC LIMIT 1) AS b ON true
    LEFT JOIN LATERAL (
      SELECT x.created_at FROM event x
       WHERE p_whole AND NOT p.newest AND x.directory_id = p.directory_id AND x.seq = p.seq AND x.day = p.day
         AND x.day >= first_day
      OFFSET 0) AS t ON true
  UNION ALL
  SELECT 'user', NULL, u.id, NULL, NULL, NULL, NULL, NULL, u.directory_id, u.organization_id, u.user_name,
         CASE WHEN p_whole THEN u.document::text END, NULL, u.version, u.created_at, u.updated_at
    FROM (SELECT DISTINCT p.directory_id, p.id FROM probed p WHERE p.kept AND p.type IS NULL) AS k
   CROSS JOIN LATERAL (SELECT x.* FROM directory_user x
                        WHERE x.directory_id = k.directory_id AND x.id = k.id AND NOT x.hidden OFFSET 0) AS u
  UNION ALL
  SELECT 'group', NULL, g.id, NULL, NULL, NULL, NULL, NULL, g.directory_id, g.organization_id, g.display_name,
         CASE WHEN p_whole THEN g.document::text END, g.idp_id, g.version, g.created_at, g.updated_at
    FROM (SELECT DISTINCT p.directory_id, p.id FROM probed p WHERE p.kept AND p.type IS NULL) AS k
   CROSS JOIN LATERAL (SELECT x.* FROM directory_group x
                        WHERE x.directory_id = k.directory_id AND x.id = k.id OFFSET 0) AS g;
END $$;

-- The number of a directory's last event committed up to a time; NULL when retention may have taken it. Times nearly
-- follow the numbers: the search aims some seconds lower and walks the rest, for replicas whose clocks differ.
CREATE FUNCTION directory_seq_at_time_v1(p_directory text, p_time timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  high bigint := (SELECT h.seq FROM head h WHERE h.directory_id = p_directory);
  lowest bigint := coalesce((SELECT e.seq - 1 FROM event e WHERE e.directory_id = p_directory ORDER BY e.seq LIMIT 1), high);
  newest bigint := high;
  low bigint := lowest;
  middle bigint;
  entry record;
  kept_from date := (SELECT s.oldest_day FROM feed_state s WHERE s.id = 1);
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    SELECT e.created_at INTO entry FROM event e WHERE e.directory_id = p_directory AND e.seq = middle + 1;
    IF entry.created_at >= p_time - interval '5 seconds' THEN
      high := middle;
    ELSE
      low := middle + 1;
    END IF;
  END LOOP;
  FOR entry IN SELECT e.seq, e.created_at FROM event e WHERE e.directory_id = p_directory AND e.seq > low ORDER BY e.seq LOOP
    IF entry.created_at > p_time THEN
      newest := entry.seq - 1;
      EXIT;
    END IF;
  END LOOP;
  -- Nothing kept is as old as this: what was dropped may be younger, unless it is of a day that is kept whole.
  IF newest = lowest AND lowest > 0 AND (NOT isfinite(kept_from) OR p_time < kept_from::timestamp AT TIME ZONE 'UTC') THEN
    RETURN NULL;
  END IF;
  RETURN newest;
END $$;

-- Users by userName or by the provider's id wherever they are. Without these each directory is probed, which costs 4 ms where
-- there are 500; a new user costs 15 µs more with them, a changed one nothing. Of expressions, so that no probe within one
-- directory is tempted to read everybody of that name.
CREATE INDEX directory_user_key_anywhere ON directory_user ((user_key || ''));
CREATE INDEX directory_user_external_id_anywhere ON directory_user ((external_id || '')) WHERE external_id IS NOT NULL;
