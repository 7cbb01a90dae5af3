-- $1 directory, $2 group id, $3 how many, $4 letter of the directory's user ids: its first members.
INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)
  SELECT $1, $2, 'directory_user_0' || $4::text || lpad(i::text, 24, '0'), 'User', now()
    FROM generate_series(1, $3::integer) AS i
