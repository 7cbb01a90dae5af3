-- $1 directory, $2 organization, $3 how many, $4 letter that makes the ids the directory's own: users as the write path
-- stores them. They have no events, as users have whose events retention has dropped.
INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, external_id, email_keys, active,
                            version, document, created_at, updated_at)
  SELECT $1, 'directory_user_0' || $4::text || lpad(i::text, 24, '0'), $2,
         'User' || i || '@example.com', 'user' || i || '@example.com', 'ext' || i, ARRAY['user' || i || '@example.com'],
         true, 1,
         jsonb_build_object(
           'externalId', 'ext' || i, 'userName', 'User' || i || '@example.com', 'active', true,
           'name', jsonb_build_object('givenName', 'Given' || i, 'familyName', 'Family' || i),
           'displayName', 'Given' || i || ' Family' || i, 'title', 'Senior Software Engineer',
           'preferredLanguage', 'en-GB', 'locale', 'en-GB', 'timezone', 'Europe/London',
           'emails', jsonb_build_array(jsonb_build_object(
             'value', 'User' || i || '@example.com', 'type', 'work', 'primary', true)),
           'phoneNumbers', jsonb_build_array(
             jsonb_build_object('value', '+44 20 7946 0123', 'type', 'work'),
             jsonb_build_object('value', '+44 7700 900123', 'type', 'mobile')),
           'addresses', jsonb_build_array(jsonb_build_object(
             'type', 'work', 'streetAddress', '100 Universal Road', 'locality', 'London', 'postalCode', 'EC1A 1BB',
             'country', 'GB', 'primary', true)),
           'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object(
             'employeeNumber', lpad(i::text, 7, '0'), 'costCenter', '4130', 'organization', 'Example Incorporated',
             'division', 'Research and Development', 'department', 'Platform',
             'manager', jsonb_build_object('value', '26118915-6090-4610-87e4-49d8ca9f808d'))),
         now(), now()
    FROM generate_series(1, $3::integer) AS i
