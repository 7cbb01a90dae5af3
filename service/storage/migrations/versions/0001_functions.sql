-- Functions save round trips on the paths that run for every change. A new shape gets a new name (…_v2), so that the
-- releases before and after a rollout run side by side.

-- Day partitions of the log from yesterday to p_ahead days ahead, in UTC. A day whose rows already lie in the default
-- partition stays there. One caller at a time; the others have nothing to do.
CREATE FUNCTION ensure_event_partitions_v1(p_ahead integer) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
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
      EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)', part, d, d + 1);
      made := made + 1;
    EXCEPTION WHEN check_violation THEN
      NULL;
    END;
  END LOOP;
  RETURN made;
END $$;

SELECT ensure_event_partitions_v1(7);

-- A text without its differences of case and composition, as the service folds names: NFKC, case folding, NFKC.
-- PostgreSQL folds from release 18 on. Before that, lower-casing by ICU (else by the database's locale) and the two
-- letters in which it differs most often stand in for it; stored keys are folded by the service and never differ.
DO $do$
DECLARE
  folding text := 'casefold(normalize(t, NFKC) COLLATE "pg_unicode_fast")';
BEGIN
  IF current_setting('server_version_num')::integer < 180000 THEN
    folding := 'lower(normalize(t, NFKC)';
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
      folding := folding || ' COLLATE "und-x-icu"';
    END IF;
    folding := 'replace(replace(' || folding || '), ''ß'', ''ss''), ''ς'', ''σ'')';
  END IF;
  EXECUTE format(
    'CREATE FUNCTION fold_v1(t text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN normalize(%s, NFKC)', folding
  );
END $do$;
