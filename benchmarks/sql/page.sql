-- One page of W6: a hundred users from anywhere among :size.
\set n random(1, :size - 100)
SELECT id, document FROM bench_user
 WHERE directory_id = 'd' || :size::text AND id > lpad(:n::text, 12, '0') ORDER BY id LIMIT 100;
