-- $1 directory, $2 organization, $3 group id, $4 name: a group without members, as the write path stores it.
INSERT INTO directory_group (directory_id, id, organization_id, display_name, name_key, external_id, idp_id, version,
                             document, created_at, updated_at)
  VALUES ($1, $3, $2, $4, lower($4), NULL, $4, 1, jsonb_build_object('displayName', $4::text), now(), now())
