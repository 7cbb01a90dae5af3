-- The commit path in two round trips. Each function takes one JSON object: encoding dozens of arrays costs the driver
-- more than the whole command costs otherwise.

-- Locks the head rows of the batch's directories in id order, then returns everything its commands name, one row each:
-- head (a directory: organization, provider, state, seq, policy), user, user_key (who has a userName), group, group_key
-- (who bears a displayName), ref (something that can be a member), external (who has an externalId), pending (a
-- reference that waits for someone of this key), email (an active user with this address), user_group (a group a user is
-- in), member (one membership), all_member (each membership of a group, with
-- the member's name and what the provider shows for it). Every later statement of a READ COMMITTED function sees what was committed before the locks were
-- given. OFFSET 0 keeps probes of an index what they are: these plans are made once for batches and directories of any
-- size, and without it the planner reads whole directories, or the whole table, for the names of a few members.
-- p: {directories: [id], user_ids | user_keys | group_ids | group_keys | refs | externals | pending | emails |
--     user_groups | all_members: [[directory, key]], members: [[directory, group, member]]}
CREATE FUNCTION load_batch_v1(p jsonb) RETURNS TABLE (
  kind text, directory_id text, id text, key text, other text, version bigint, document text,
  created_at timestamptz, updated_at timestamptz, hidden boolean
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  directories text[] := ARRAY(SELECT jsonb_array_elements_text(p->'directories'));
BEGIN
  IF cardinality(directories) > 0 THEN
    PERFORM 1 FROM head h WHERE h.directory_id = ANY (directories) ORDER BY h.directory_id FOR UPDATE;
    RETURN QUERY
      SELECT 'head', d.id, d.organization_id, d.provider, d.state, h.seq, d.policy::text, d.created_at, d.updated_at,
             false
        FROM head h JOIN directory d ON d.id = h.directory_id
       WHERE h.directory_id = ANY (directories);
  END IF;
  IF p ? 'user_ids' THEN
    RETURN QUERY
      SELECT 'user', u.directory_id, u.id, NULL::text, NULL::text, u.version, u.document::text, u.created_at, u.updated_at,
             u.hidden
        FROM jsonb_array_elements(p->'user_ids') AS k
        JOIN directory_user u ON u.directory_id = k->>0 AND u.id = k->>1;
  END IF;
  IF p ? 'user_keys' THEN
    RETURN QUERY
      SELECT 'user_key', u.directory_id, u.id, u.user_key, NULL::text, u.version, NULL::text, u.created_at, u.updated_at,
             u.hidden
        FROM jsonb_array_elements(p->'user_keys') AS k
        JOIN directory_user u ON u.directory_id = k->>0 AND u.user_key = k->>1;
  END IF;
  IF p ? 'group_ids' THEN
    RETURN QUERY
      SELECT 'group', g.directory_id, g.id, NULL::text, g.idp_id, g.version, g.document::text, g.created_at, g.updated_at,
             false
        FROM jsonb_array_elements(p->'group_ids') AS k
        JOIN directory_group g ON g.directory_id = k->>0 AND g.id = k->>1;
  END IF;
  IF p ? 'group_keys' THEN
    RETURN QUERY
      SELECT 'group_key', g.directory_id, g.id, g.name_key, NULL::text, g.version, NULL::text, g.created_at, g.updated_at,
             false
        FROM jsonb_array_elements(p->'group_keys') AS k
        JOIN directory_group g ON g.directory_id = k->>0 AND g.name_key = k->>1;
  END IF;
  IF p ? 'refs' THEN
    RETURN QUERY
      SELECT 'ref', u.directory_id, u.id, 'User', u.user_name, u.version, NULL::text, u.created_at, u.updated_at,
             u.hidden
        FROM jsonb_array_elements(p->'refs') AS k
        JOIN directory_user u ON u.directory_id = k->>0 AND u.id = k->>1;
    RETURN QUERY
      SELECT 'ref', g.directory_id, g.id, 'Group', g.display_name, g.version, NULL::text, g.created_at, g.updated_at,
             false
        FROM jsonb_array_elements(p->'refs') AS k
        JOIN directory_group g ON g.directory_id = k->>0 AND g.id = k->>1;
  END IF;
  IF p ? 'externals' THEN
    RETURN QUERY
      SELECT 'external', u.directory_id, u.id, u.external_id, 'User', u.version, u.user_name, u.created_at, u.updated_at,
             u.hidden
        FROM jsonb_array_elements(p->'externals') AS k
        JOIN directory_user u ON u.directory_id = k->>0 AND u.external_id = k->>1;
    RETURN QUERY
      SELECT 'external', g.directory_id, g.id, g.external_id, 'Group', g.version, g.display_name, g.created_at, g.updated_at,
             false
        FROM jsonb_array_elements(p->'externals') AS k
        JOIN directory_group g ON g.directory_id = k->>0 AND g.external_id = k->>1;
  END IF;
  IF p ? 'pending' THEN
    RETURN QUERY
      SELECT 'pending', m.directory_id, m.group_id, m.value, m.value_key, NULL::bigint, NULL::text, m.created_at,
             NULL::timestamptz, false
        FROM jsonb_array_elements(p->'pending') AS k
        JOIN pending_member m ON m.directory_id = k->>0 AND m.value_key = k->>1;
  END IF;
  IF p ? 'emails' THEN
    RETURN QUERY
      SELECT 'email', u.directory_id, u.id, k->>1, NULL::text, u.version, NULL::text, u.created_at, u.updated_at, u.hidden
        FROM jsonb_array_elements(p->'emails') AS k
        CROSS JOIN LATERAL (SELECT x.* FROM directory_user x WHERE x.email_keys @> ARRAY[k->>1] OFFSET 0) AS u
       WHERE u.directory_id = k->>0 AND u.active;
  END IF;
  IF p ? 'user_groups' THEN
    RETURN QUERY
      SELECT 'user_group', m.directory_id, m.group_id, m.member_id, 'User', g.version,
             jsonb_build_array(g.display_name, m.display)::text, m.created_at, NULL::timestamptz, false
        FROM jsonb_array_elements(p->'user_groups') AS k
        JOIN membership m ON m.directory_id = k->>0 AND m.member_id = k->>1
        JOIN directory_group g ON g.directory_id = m.directory_id AND g.id = m.group_id;
  END IF;
  IF p ? 'members' THEN
    RETURN QUERY
      SELECT 'member', m.directory_id, m.group_id, m.member_id, m.member_type, NULL::bigint, NULL::text, m.created_at,
             NULL::timestamptz, false
        FROM jsonb_array_elements(p->'members') AS k
        JOIN membership m ON m.directory_id = k->>0 AND m.group_id = k->>1 AND m.member_id = k->>2;
  END IF;
  IF p ? 'all_members' THEN
    RETURN QUERY
      SELECT 'all_member', m.directory_id, m.group_id, m.member_id, m.member_type, NULL::bigint,
             jsonb_build_array(coalesce(u.user_name, g.display_name), m.display)::text, m.created_at, NULL::timestamptz,
             coalesce(u.hidden, false)
        FROM jsonb_array_elements(p->'all_members') AS k
        CROSS JOIN LATERAL (SELECT x.* FROM membership x WHERE x.directory_id = k->>0 AND x.group_id = k->>1 OFFSET 0) AS m
        LEFT JOIN LATERAL (SELECT x.user_name, x.hidden FROM directory_user x
                            WHERE x.directory_id = m.directory_id AND x.id = m.member_id OFFSET 0) AS u ON true
        LEFT JOIN LATERAL (SELECT x.display_name FROM directory_group x
                            WHERE x.directory_id = m.directory_id AND x.id = m.member_id OFFSET 0) AS g ON true;
  END IF;
END $$;

-- Appends events that the caller has numbered from the heads it holds locked, and moves those heads.
-- p_events: [{directory_id, seq, id, organization_id, type, entity_id, entity_version, transaction_end}], in the order
-- of p_payloads. p_heads: {directory: seq}. The day is the database's own, whatever the replicas' clocks say: by it the
-- sequencer knows which partitions it need not search.
CREATE FUNCTION append_events_v1(p_events jsonb, p_payloads bytea[], p_heads jsonb, p_at timestamptz)
RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version, transaction_end,
                     created_at, payload)
    SELECT e.directory_id, e.seq, (clock_timestamp() AT TIME ZONE 'UTC')::date, e.id, e.organization_id, e.type, e.entity_id,
           e.entity_version, e.transaction_end, p_at, e.payload
      FROM ROWS FROM (
             jsonb_to_recordset(p_events) AS (directory_id text, seq bigint, id text, organization_id text, type text,
                                              entity_id text, entity_version bigint, transaction_end boolean),
             unnest(p_payloads)
           ) WITH ORDINALITY AS e (directory_id, seq, id, organization_id, type, entity_id, entity_version,
                                   transaction_end, payload, place)
     ORDER BY e.place;
  UPDATE head SET seq = h.value::bigint FROM jsonb_each_text(p_heads) AS h WHERE head.directory_id = h.key;
$$;

-- Writes everything a batch decided: rows first, removals last, then the events. Each part is one statement.
-- p: {users, groups, added, awaited: rows as in the tables; removed, unawaited: [[directory, group, member or value]];
--     renamed, gone_users, gone_groups, unawaited_groups: [[directory, id]]; heads, events: as append_events_v1 takes them}
CREATE FUNCTION write_batch_v1(p jsonb, p_payloads bytea[], p_at timestamptz) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
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
  IF p ? 'added' THEN
    INSERT INTO membership SELECT * FROM jsonb_populate_recordset(NULL::membership, p->'added') ON CONFLICT DO NOTHING;
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
    PERFORM end_memberships_v1(p->'gone_users', p_at);
  END IF;
  IF p ? 'gone_groups' THEN
    DELETE FROM pending_member m USING jsonb_array_elements(p->'gone_groups') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1;
    DELETE FROM membership m USING jsonb_array_elements(p->'gone_groups') AS k
     WHERE m.directory_id = k->>0 AND m.group_id = k->>1;
    PERFORM end_memberships_v1(p->'gone_groups', p_at);
    DELETE FROM directory_group g USING jsonb_array_elements(p->'gone_groups') AS k
     WHERE g.directory_id = k->>0 AND g.id = k->>1;
  END IF;
  IF p ? 'events' THEN
    PERFORM append_events_v1(p->'events', p_payloads, p->'heads', p_at);
  END IF;
END $$;

-- Ends the memberships of what is gone; the groups it was in have changed by that.
CREATE FUNCTION end_memberships_v1(p_gone jsonb, p_at timestamptz) RETURNS void LANGUAGE sql VOLATILE AS $$
  WITH ended AS (
    DELETE FROM membership m USING jsonb_array_elements(p_gone) AS k
     WHERE m.directory_id = k->>0 AND m.member_id = k->>1
    RETURNING m.directory_id, m.group_id
  )
  UPDATE directory_group g SET version = g.version + 1, updated_at = p_at
    FROM (SELECT DISTINCT directory_id, group_id FROM ended) AS k
   WHERE g.directory_id = k.directory_id AND g.id = k.group_id;
$$;
