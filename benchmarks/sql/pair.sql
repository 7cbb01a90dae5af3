-- One W1 operation as PostgreSQL alone does it: the look-up of a new name, then user and event in one durable
-- transaction. 2 to the 62 random names: none comes twice. (A colon before a letter would be a variable of pgbench.)
\set n random(1, 4611686018427387904)
SELECT id FROM bench_user WHERE directory_id = 'd0' AND lower(user_name) = lower('user' || :n::bigint || '@example.com');
WITH u AS (
  INSERT INTO bench_user (directory_id, id, user_name, document)
    VALUES ('d0', uuidv7()::text, 'user' || :n::bigint || '@example.com',
            replace('{"schemas": ["urn\u003aietf\u003aparams\u003ascim\u003aschemas\u003acore\u003a2.0\u003aUser","urn\u003aietf\u003aparams\u003ascim\u003aschemas\u003aextension\u003aenterprise\u003a2.0\u003aUser"],"userName": "%s","displayName": "Given Family","name": {"givenName": "Given","familyName": "Family","formatted": "Given Family"},"title": "Senior Software Engineer","preferredLanguage": "en-GB","locale": "en-GB","timezone": "Europe/London","active": true,"emails": [{"value": "%s","type": "work","primary": true}],"phoneNumbers": [{"value": "+44 20 7946 0123","type": "work"},{"value": "+44 7700 900123","type": "mobile"}],"addresses": [{"type": "work","streetAddress": "100 Universal Road","locality": "London","postalCode": "EC1A 1BB","country": "GB","formatted": "100 Universal Road, London EC1A 1BB, GB","primary": true}],"urn\u003aietf\u003aparams\u003ascim\u003aschemas\u003aextension\u003aenterprise\u003a2.0\u003aUser": {"employeeNumber": "0000001","costCenter": "4130","organization": "Example Incorporated","division": "Research and Development","department": "Platform","manager": {"value": "26118915-6090-4610-87e4-49d8ca9f808d","displayName": "Jo Manager"}}}', '%s', 'user' || :n::bigint || '@example.com')::jsonb)
  RETURNING directory_id, id, document)
INSERT INTO bench_event (directory_id, user_id, payload)
  SELECT directory_id, id, convert_to(document::text, 'UTF8') FROM u;
