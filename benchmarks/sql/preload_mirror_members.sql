-- $1 directory, $2 users, $3 groups, $4 letter of the directory's ids: each user in five groups.
INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)
  SELECT $1, 'directory_group_0' || $4::text || lpad((1 + (i + k * 197) % $3::integer)::text, 24, '0'),
         'directory_user_0' || $4::text || lpad(i::text, 24, '0'), 'User', now()
    FROM generate_series(1, $2::integer) AS i, generate_series(0, 4) AS k
