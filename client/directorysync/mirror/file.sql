-- name: schema
-- Format 1. One row of `mirror` says what the rest is: for which filter, behind which cursor, of when (seconds since 1970).
CREATE TABLE mirror (id INTEGER PRIMARY KEY CHECK (id = 1), scope TEXT NOT NULL, cursor TEXT NOT NULL, heard REAL NOT NULL);
CREATE TABLE directory (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, data BLOB);
CREATE TABLE directory_user (id TEXT PRIMARY KEY, directory_id TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE directory_group (id TEXT PRIMARY KEY, directory_id TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE membership (group_id TEXT NOT NULL, member_id TEXT NOT NULL, PRIMARY KEY (group_id, member_id)) WITHOUT ROWID;

-- name: clear
-- Everything goes; a snapshot takes its place in the same transaction.
DELETE FROM mirror;
DELETE FROM directory;
DELETE FROM directory_user;
DELETE FROM directory_group;
DELETE FROM membership;

-- name: put_mirror
-- How far the copy reaches.
INSERT INTO mirror (id, scope, cursor, heard) VALUES (1, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, cursor = excluded.cursor, heard = excluded.heard

-- name: mirror
-- How far the copy reaches; no row: there is none.
SELECT scope, cursor, heard FROM mirror

-- name: directories
-- All of them.
SELECT id, sequence, data FROM directory

-- name: groups
-- All of them.
SELECT data FROM directory_group ORDER BY rowid

-- name: users
-- All of them.
SELECT data FROM directory_user ORDER BY rowid

-- name: memberships
-- All of them.
SELECT group_id, member_id FROM membership

-- name: put_directory
-- Without data it was deleted, or has not been told yet.
INSERT INTO directory (id, sequence, data) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, data = excluded.data

-- name: put_sequence
-- Number of its newest event.
INSERT INTO directory (id, sequence) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence

-- name: put_user
-- New or changed.
INSERT INTO directory_user (id, directory_id, data) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET directory_id = excluded.directory_id, data = excluded.data

-- name: drop_user
-- Its memberships are named one by one.
DELETE FROM directory_user WHERE id = ?

-- name: put_group
-- New or changed.
INSERT INTO directory_group (id, directory_id, data) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET directory_id = excluded.directory_id, data = excluded.data

-- name: drop_group
-- Its memberships in other groups are named one by one.
DELETE FROM directory_group WHERE id = ?

-- name: put_membership
-- Once.
INSERT INTO membership (group_id, member_id) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: drop_membership
-- One.
DELETE FROM membership WHERE group_id = ? AND member_id = ?

-- name: drop_memberships_of_group
-- All that are in it.
DELETE FROM membership WHERE group_id = ?

-- name: drop_memberships_of_directory
-- Before its groups go.
DELETE FROM membership WHERE group_id IN (SELECT id FROM directory_group WHERE directory_id = ?)

-- name: drop_users_of_directory
-- All.
DELETE FROM directory_user WHERE directory_id = ?

-- name: drop_groups_of_directory
-- All.
DELETE FROM directory_group WHERE directory_id = ?
