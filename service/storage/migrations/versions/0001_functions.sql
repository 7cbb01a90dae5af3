-- Functions save round trips on the paths that run for every change. A new shape gets a new name (…_v2), so that the
-- releases before and after a rollout run side by side.

-- Day partitions of the log from yesterday to p_ahead days ahead. A day whose rows already lie in the default partition
-- stays there.
CREATE FUNCTION ensure_event_partitions_v1(p_ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  d date;
  made integer := 0;
  part text;
BEGIN
  FOR d IN SELECT generate_series(current_date - 1, current_date + p_ahead, interval '1 day')::date LOOP
    part := 'event_' || to_char(d, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)', part, d, d + 1);
      made := made + 1;
    EXCEPTION WHEN check_violation OR duplicate_table THEN
      NULL;
    END;
  END LOOP;
  RETURN made;
END $$;

SELECT ensure_event_partitions_v1(7);

-- Locks the head rows of the batch's directories in id order, then returns everything its commands name, one row each:
-- head (seq, directory), user, user_key, group, group_key, ref (a possible member), member (one named membership),
-- all_member (every membership of a group), user_group (groups of a user about to be deleted is not needed here).
-- Every later statement of a READ COMMITTED function sees what was committed before the locks were given.
CREATE FUNCTION load_batch_v1(
  p_directories text[],
  p_user_dirs text[], p_user_ids text[],
  p_user_key_dirs text[], p_user_keys text[],
  p_group_dirs text[], p_group_ids text[],
  p_group_key_dirs text[], p_group_keys text[],
  p_ref_dirs text[], p_ref_ids text[],
  p_member_dirs text[], p_member_groups text[], p_member_ids text[],
  p_all_dirs text[], p_all_groups text[]
) RETURNS TABLE (
  kind text, directory_id text, id text, key text, other text, version bigint, document text,
  created_at timestamptz, updated_at timestamptz
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM 1 FROM head h WHERE h.directory_id = ANY (p_directories) ORDER BY h.directory_id FOR UPDATE;

  RETURN QUERY
    SELECT 'head', d.id, d.organization_id, d.provider, d.state, h.seq, d.policy::text, d.created_at, d.updated_at
      FROM head h JOIN directory d ON d.id = h.directory_id
     WHERE h.directory_id = ANY (p_directories);

  IF cardinality(p_user_ids) > 0 THEN
    RETURN QUERY
      SELECT 'user', u.directory_id, u.id, u.user_key, NULL::text, u.version, u.document::text, u.created_at, u.updated_at
        FROM unnest(p_user_dirs, p_user_ids) AS k (directory_id, id)
        JOIN directory_user u ON u.directory_id = k.directory_id AND u.id = k.id;
  END IF;
  IF cardinality(p_user_keys) > 0 THEN
    RETURN QUERY
      SELECT 'user_key', u.directory_id, u.id, u.user_key, NULL::text, u.version, NULL::text, u.created_at, u.updated_at
        FROM unnest(p_user_key_dirs, p_user_keys) AS k (directory_id, user_key)
        JOIN directory_user u ON u.directory_id = k.directory_id AND u.user_key = k.user_key;
  END IF;
  IF cardinality(p_group_ids) > 0 THEN
    RETURN QUERY
      SELECT 'group', g.directory_id, g.id, g.name_key, g.idp_id, g.version, g.document::text, g.created_at, g.updated_at
        FROM unnest(p_group_dirs, p_group_ids) AS k (directory_id, id)
        JOIN directory_group g ON g.directory_id = k.directory_id AND g.id = k.id;
  END IF;
  IF cardinality(p_group_keys) > 0 THEN
    RETURN QUERY
      SELECT 'group_key', g.directory_id, g.id, g.name_key, g.external_id, g.version, NULL::text, g.created_at, g.updated_at
        FROM unnest(p_group_key_dirs, p_group_keys) AS k (directory_id, name_key)
        JOIN directory_group g ON g.directory_id = k.directory_id AND g.name_key = k.name_key;
  END IF;
  IF cardinality(p_ref_ids) > 0 THEN
    RETURN QUERY
      SELECT 'ref', u.directory_id, u.id, 'User', u.user_name, u.version, NULL::text, u.created_at, u.updated_at
        FROM unnest(p_ref_dirs, p_ref_ids) AS k (directory_id, id)
        JOIN directory_user u ON u.directory_id = k.directory_id AND u.id = k.id;
    RETURN QUERY
      SELECT 'ref', g.directory_id, g.id, 'Group', g.display_name, g.version, NULL::text, g.created_at, g.updated_at
        FROM unnest(p_ref_dirs, p_ref_ids) AS k (directory_id, id)
        JOIN directory_group g ON g.directory_id = k.directory_id AND g.id = k.id;
  END IF;
  IF cardinality(p_member_ids) > 0 THEN
    RETURN QUERY
      SELECT 'member', m.directory_id, m.group_id, m.member_id, m.member_type, NULL::bigint, NULL::text, m.created_at, NULL::timestamptz
        FROM unnest(p_member_dirs, p_member_groups, p_member_ids) AS k (directory_id, group_id, member_id)
        JOIN membership m ON m.directory_id = k.directory_id AND m.group_id = k.group_id AND m.member_id = k.member_id;
  END IF;
  IF cardinality(p_all_groups) > 0 THEN
    RETURN QUERY
      SELECT 'all_member', m.directory_id, m.group_id, m.member_id, m.member_type, NULL::bigint,
             coalesce(u.user_name, g.display_name), m.created_at, NULL::timestamptz
        FROM unnest(p_all_dirs, p_all_groups) AS k (directory_id, group_id)
        JOIN membership m ON m.directory_id = k.directory_id AND m.group_id = k.group_id
        LEFT JOIN directory_user u ON u.directory_id = m.directory_id AND u.id = m.member_id
        LEFT JOIN directory_group g ON g.directory_id = m.directory_id AND g.id = m.member_id;
  END IF;
END $$;

-- Appends events that the caller has numbered from the heads it holds locked, and moves those heads.
CREATE FUNCTION append_events_v1(
  p_head_dirs text[], p_head_seqs bigint[],
  p_dirs text[], p_seqs bigint[], p_ids text[], p_orgs text[], p_types text[], p_entities text[], p_versions bigint[],
  p_ends boolean[], p_payloads bytea[], p_at timestamptz
) RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version, transaction_end,
                     created_at, payload)
    SELECT e.d, e.s, (p_at AT TIME ZONE 'UTC')::date, e.i, e.o, e.t, e.n, e.v, e.x, p_at, e.p
      FROM unnest(p_dirs, p_seqs, p_ids, p_orgs, p_types, p_entities, p_versions, p_ends, p_payloads)
        WITH ORDINALITY AS e (d, s, i, o, t, n, v, x, p, ord)
     ORDER BY e.ord;
  UPDATE head SET seq = h.s FROM unnest(p_head_dirs, p_head_seqs) AS h (d, s) WHERE head.directory_id = h.d;
$$;

-- Writes everything a batch decided: rows first, removals last, then the events. Each part is one statement.
CREATE FUNCTION write_batch_v1(
  p_user_dirs text[], p_user_ids text[], p_user_orgs text[], p_user_names text[], p_user_keys text[],
  p_user_externals text[], p_user_emails text[], p_user_actives boolean[], p_user_versions bigint[],
  p_user_documents text[], p_user_created timestamptz[], p_user_updated timestamptz[],
  p_group_dirs text[], p_group_ids text[], p_group_orgs text[], p_group_names text[], p_group_keys text[],
  p_group_externals text[], p_group_idps text[], p_group_versions bigint[], p_group_documents text[],
  p_group_created timestamptz[], p_group_updated timestamptz[],
  p_add_dirs text[], p_add_groups text[], p_add_members text[], p_add_types text[], p_add_at timestamptz[],
  p_del_dirs text[], p_del_groups text[], p_del_members text[],
  p_gone_user_dirs text[], p_gone_users text[],
  p_gone_group_dirs text[], p_gone_groups text[],
  p_head_dirs text[], p_head_seqs bigint[],
  p_dirs text[], p_seqs bigint[], p_ids text[], p_orgs text[], p_types text[], p_entities text[], p_versions bigint[],
  p_ends boolean[], p_payloads bytea[], p_at timestamptz
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- Removals of users come before the rows of others, so that a name set free in this batch can be taken in it.
  IF cardinality(p_gone_users) > 0 THEN
    DELETE FROM directory_user u USING unnest(p_gone_user_dirs, p_gone_users) AS k (d, i)
     WHERE u.directory_id = k.d AND u.id = k.i;
  END IF;
  IF cardinality(p_user_ids) > 0 THEN
    -- Of the rows that exist, none may keep a userName that another row of this batch takes over; names are freed first.
    UPDATE directory_user u SET user_key = E'\x01' || u.id
      FROM unnest(p_user_dirs, p_user_ids, p_user_keys) AS k (d, i, n)
     WHERE u.directory_id = k.d AND u.id = k.i AND u.user_key <> k.n;
    INSERT INTO directory_user AS t (directory_id, id, organization_id, user_name, user_key, external_id, email_keys,
                                     active, version, document, created_at, updated_at)
      SELECT k.d, k.i, k.o, k.n, k.k, k.x, coalesce(string_to_array(k.m, E'\x01'), '{}'), k.a, k.v, k.j::jsonb, k.c, k.u
        FROM unnest(p_user_dirs, p_user_ids, p_user_orgs, p_user_names, p_user_keys, p_user_externals, p_user_emails,
                    p_user_actives, p_user_versions, p_user_documents, p_user_created, p_user_updated)
             AS k (d, i, o, n, k, x, m, a, v, j, c, u)
      ON CONFLICT (directory_id, id) DO UPDATE
         SET user_name = excluded.user_name, user_key = excluded.user_key, external_id = excluded.external_id,
             email_keys = excluded.email_keys, active = excluded.active, version = excluded.version,
             document = excluded.document, updated_at = excluded.updated_at;
  END IF;
  IF cardinality(p_group_ids) > 0 THEN
    INSERT INTO directory_group AS t (directory_id, id, organization_id, display_name, name_key, external_id, idp_id,
                                      version, document, created_at, updated_at)
      SELECT k.d, k.i, k.o, k.n, k.k, k.x, k.p, k.v, k.j::jsonb, k.c, k.u
        FROM unnest(p_group_dirs, p_group_ids, p_group_orgs, p_group_names, p_group_keys, p_group_externals,
                    p_group_idps, p_group_versions, p_group_documents, p_group_created, p_group_updated)
             AS k (d, i, o, n, k, x, p, v, j, c, u)
      ON CONFLICT (directory_id, id) DO UPDATE
         SET display_name = excluded.display_name, name_key = excluded.name_key, external_id = excluded.external_id,
             idp_id = excluded.idp_id, version = excluded.version, document = excluded.document,
             updated_at = excluded.updated_at;
  END IF;
  IF cardinality(p_add_members) > 0 THEN
    INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)
      SELECT * FROM unnest(p_add_dirs, p_add_groups, p_add_members, p_add_types, p_add_at)
      ON CONFLICT DO NOTHING;
  END IF;
  IF cardinality(p_del_members) > 0 THEN
    DELETE FROM membership m USING unnest(p_del_dirs, p_del_groups, p_del_members) AS k (d, g, i)
     WHERE m.directory_id = k.d AND m.group_id = k.g AND m.member_id = k.i;
  END IF;
  IF cardinality(p_gone_users) > 0 THEN
    WITH gone AS (
      DELETE FROM membership m USING unnest(p_gone_user_dirs, p_gone_users) AS k (d, i)
       WHERE m.directory_id = k.d AND m.member_id = k.i
      RETURNING m.directory_id, m.group_id
    )
    UPDATE directory_group g SET version = g.version + 1, updated_at = p_at
      FROM (SELECT DISTINCT directory_id, group_id FROM gone) AS k
     WHERE g.directory_id = k.directory_id AND g.id = k.group_id;
  END IF;
  IF cardinality(p_gone_groups) > 0 THEN
    DELETE FROM membership m USING unnest(p_gone_group_dirs, p_gone_groups) AS k (d, i)
     WHERE m.directory_id = k.d AND m.group_id = k.i;
    WITH gone AS (
      DELETE FROM membership m USING unnest(p_gone_group_dirs, p_gone_groups) AS k (d, i)
       WHERE m.directory_id = k.d AND m.member_id = k.i
      RETURNING m.directory_id, m.group_id
    )
    UPDATE directory_group g SET version = g.version + 1, updated_at = p_at
      FROM (SELECT DISTINCT directory_id, group_id FROM gone) AS k
     WHERE g.directory_id = k.directory_id AND g.id = k.group_id;
    DELETE FROM directory_group g USING unnest(p_gone_group_dirs, p_gone_groups) AS k (d, i)
     WHERE g.directory_id = k.d AND g.id = k.i;
  END IF;
  IF cardinality(p_ids) > 0 THEN
    PERFORM append_events_v1(p_head_dirs, p_head_seqs, p_dirs, p_seqs, p_ids, p_orgs, p_types, p_entities, p_versions,
                             p_ends, p_payloads, p_at);
  END IF;
END $$;

-- Gives positions to what was committed since the snapshot of the last call, tells listeners once, and returns the
-- newest position. The row lock on feed_state is the fence: rivals wait for each other and do no harm.
-- The bounds of the snapshot are handed to the query as parameters, so that it uses the index on xid.
CREATE FUNCTION sequence_feed_v1() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  state feed_state%ROWTYPE;
  last_pos bigint;
  upper xid8;
  running xid8[];
  now_snap pg_snapshot;
BEGIN
  SELECT * INTO STRICT state FROM feed_state WHERE id = 1 FOR UPDATE;
  upper := pg_snapshot_xmax(state.snap);
  running := ARRAY(SELECT pg_snapshot_xip(state.snap));
  -- One statement, one snapshot: what it sees is exactly what the snapshot it stores covers.
  WITH fresh AS (
    SELECT e.directory_id, e.seq, e.day, e.gid FROM event e WHERE e.xid >= upper
    UNION ALL
    SELECT e.directory_id, e.seq, e.day, e.gid FROM event e WHERE e.xid = ANY (running) AND e.xid < upper
  ), numbered AS (
    INSERT INTO feed (pos, directory_id, seq, day)
      SELECT state.pos + row_number() OVER (ORDER BY gid), directory_id, seq, day FROM fresh
    RETURNING pos
  )
  SELECT max(pos), pg_current_snapshot() INTO last_pos, now_snap FROM numbered;
  IF last_pos IS NULL THEN
    -- Nothing new. The stored snapshot still moves when old transactions are what it waits for, so that it stays small.
    IF cardinality(running) > 0 THEN
      UPDATE feed_state SET snap = now_snap WHERE id = 1;
    END IF;
    RETURN state.pos;
  END IF;
  UPDATE feed_state SET snap = now_snap, pos = last_pos WHERE id = 1;
  PERFORM pg_notify('directorysync_feed', last_pos::text);
  RETURN last_pos;
END $$;
