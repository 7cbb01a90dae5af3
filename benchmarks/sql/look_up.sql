-- One W5 operation: a known name among :size users.
\set n random(1, :size)
SELECT id, document FROM bench_user
 WHERE directory_id = 'd' || :size::text AND lower(user_name) = lower('user' || :n::text || '@example.com');
