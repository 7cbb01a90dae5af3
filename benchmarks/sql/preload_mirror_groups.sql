-- $1 directory, $2 organization, $3 how many, $4 letter of the directory's ids: groups as the write path stores them.
INSERT INTO directory_group (directory_id, id, organization_id, display_name, name_key, external_id, idp_id, version,
                             document, created_at, updated_at)
  SELECT $1, 'directory_group_0' || $4::text || lpad(i::text, 24, '0'), $2, 'Group ' || i, 'group ' || i, NULL,
         'Group ' || i, 1, jsonb_build_object('displayName', 'Group ' || i), now(), now()
    FROM generate_series(1, $3::integer) AS i
