"""What providers ask all the time is answered by an index, however large the directory is."""

from typing import Any

import pytest

from service.scim.filters import parse_filter
from service.scim.schema import GROUP, USER, ResourceType
from service.storage import directories, lookups, resources, search, time_travel
from service.storage.filters import FilterCompiler, is_selective
from service.storage.queries import directed
from service.storage.resource_columns import TABLES
from service.storage.sql_text import Parameters
from tests.support.stack import Stack

ROWS = 3_000


@pytest.fixture
async def directory(stack: Stack) -> Any:
    """A directory with many users and groups, and statistics about them."""
    made = (await stack.directory()).directory
    await stack.pool.execute(
        """INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, external_id, email_keys,
                                       active, version, document, created_at, updated_at)
           SELECT $1, 'directory_user_' || i, $2, 'u' || i, 'u' || i, 'x' || i, ARRAY['u' || i || '@x.org'], true, 1,
                  jsonb_build_object('userName', 'u' || i), now(), now() FROM generate_series(1, $3) AS i""",
        made.id, made.organization_id, ROWS,
    )  # fmt: skip
    await stack.pool.execute(
        """INSERT INTO directory_group (directory_id, id, organization_id, display_name, name_key, external_id, idp_id,
                                        version, document, created_at, updated_at)
           SELECT $1, 'directory_group_' || i, $2, 'G' || i, 'g' || i, 'y' || i, 'y' || i, 1,
                  jsonb_build_object('displayName', 'G' || i), now(), now() FROM generate_series(1, $3) AS i""",
        made.id, made.organization_id, ROWS,
    )  # fmt: skip
    await stack.pool.execute(
        """INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)
           SELECT $1, 'directory_group_' || i % 50 + 1, 'directory_user_' || i, 'User', now()
             FROM generate_series(1, $2) AS i""",
        made.id,
        ROWS,
    )
    # Many small directories beside it: what is planned for directories in general is planned for small ones.
    await stack.pool.execute(
        """INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, external_id, email_keys,
                                       active, version, document, created_at, updated_at)
           SELECT 'directory_' || i, 'directory_user_x' || i, $1, 'u', 'u', 'x', ARRAY['x' || i], true, 1, '{}', now(),
                  now()
             FROM generate_series(1, $2) AS i""",
        made.organization_id,
        ROWS,
    )
    await stack.pool.execute("ANALYZE")
    return made


async def plan(stack: Stack, statement: str, *arguments: Any) -> str:
    return "\n".join(row[0] for row in await stack.pool.fetch(f"EXPLAIN (COSTS OFF) {statement}", *arguments))


async def test_the_existence_check_is_one_probe_of_the_unique_index(stack: Stack, directory: Any) -> None:
    probe = search.unique_probe(parse_filter('userName eq "U7"', USER), USER)
    assert probe is not None
    statement, key = probe
    assert key == "u7"
    found = await plan(stack, statement, directory.id, key, False)  # noqa: FBT003
    assert "Index Scan using directory_user_user_key on directory_user u" in found
    assert "Seq Scan" not in found


@pytest.mark.parametrize(
    ("kind", "text", "index"),
    [
        (USER, 'userName eq "u7" and active eq true', "directory_user_user_key"),
        (USER, 'externalId eq "x7"', "directory_user_external_id"),
        (USER, 'emails.value eq "u7@x.org"', "directory_user_email"),
        (USER, 'emails[type eq "work" and value eq "u7@x.org"]', "directory_user_email"),
        (GROUP, 'displayName eq "g7"', "directory_group_name"),
        (GROUP, 'externalId eq "y7"', "directory_group_external_id"),
        (GROUP, 'members eq "directory_user_7"', "membership_member"),
        (GROUP, 'members[value eq "directory_user_7" and type eq "User"]', "membership_member"),
        (GROUP, 'id eq "directory_group_8" and members eq "directory_user_7"', "directory_group_"),
    ],
)
async def test_selective_filters_are_probes(
    stack: Stack, directory: Any, kind: ResourceType, text: str, index: str
) -> None:
    expression = parse_filter(text, kind)
    assert is_selective(expression, kind)
    parameters = Parameters(directory.id)
    condition = FilterCompiler(kind, "", parameters).condition(expression)
    statement = f"SELECT u.id FROM {TABLES[kind.name]} u WHERE u.directory_id = $1 AND {condition}"
    found = await plan(stack, statement, *parameters.values)
    assert index in found
    assert "Seq Scan" not in found


@pytest.mark.parametrize(
    "text",
    ['userName co "u"', 'userName ne "u7"', 'not (userName eq "u7")', 'userName eq "u7" or title pr', "active eq true"],
)
def test_other_filters_are_scans(text: str) -> None:
    assert not is_selective(parse_filter(text, USER), USER)


async def general_plan(stack: Stack, statement: str, arguments: int) -> str:
    """The plan that is made once for whatever so many arguments will be."""
    async with stack.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE general AS {statement}")
        nothing = ", ".join(["NULL"] * arguments)
        rows = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE general ({nothing})")
        await connection.execute("DEALLOCATE general")
        return "\n".join(row[0] for row in rows)


async def test_plans_for_directories_in_general_suit_large_ones(stack: Stack, directory: Any) -> None:
    for statement, arguments in (
        (search.SQL["user_by_user_key"], 3),
        (search.SQL["groups_of_users"], 3),
        (search.SQL["members_of_groups"], 3),
        (resources.SQL["members"], 3),
        (resources.SQL["user_groups"], 2),
        (lookups.SQL["member_page"], 6),
        (directed(lookups.SQL["member_page"], backward=True), 6),
        (lookups.SQL["users_by_email"], 4),
        (lookups.SQL["users_by_user_key_anywhere"], 2),
        (lookups.SQL["users_by_external_id_anywhere"], 2),
        (lookups.SQL["user_groups_page"], 5),
        (directed(lookups.SQL["user_groups_page"], backward=True), 5),
        (lookups.SQL["groups_of_users"], 5),
        (lookups.SQL["membership_page"], 4),
        (lookups.SQL["effective_user_groups_page"], 4),
        (lookups.SQL["effective_member_page"], 5),
        (resources.SQL["indirect_groups"], 3),
        (lookups.SQL["user_page"], 4),
        (directed(lookups.SQL["user_page"], backward=True), 4),
        (lookups.SQL["users"], 3),
    ):
        found = await general_plan(stack, statement, arguments)
        # Each of these would read all users or groups of the directory.
        for step in ("Seq Scan on directory_", "Materialize", "Merge", "BitmapAnd", "Hash Cond"):
            assert step not in found, found


async def test_the_search_for_an_address_reads_nothing_else(stack: Stack, directory: Any) -> None:
    asked: list[tuple[str, Any]] = []

    class Recorder:
        async def fetch(self, statement: str, *arguments: Any, **_: Any) -> list[Any]:
            asked.append((statement, arguments))
            return []

    query = search.Query(
        directory.id,
        USER,
        "",
        parse_filter('emails.value eq "u7@x.org"', USER),
        None,
        descending=False,
        skip=0,
        limit=9,
    )
    await search.few(Recorder(), query, 9, 1)  # type: ignore[arg-type]
    found = await general_plan(stack, asked[0][0], len(asked[0][1]))
    assert "Bitmap Index Scan on directory_user_email" in found
    assert "BitmapAnd" not in found


async def test_lookups_are_probes(stack: Stack, directory: Any) -> None:
    sql = lookups.SQL
    for name, arguments in (
        ("user", ("directory_user_7",)),
        ("user_in_directory", (directory.id, "directory_user_7")),
        ("users", (["directory_user_7", "directory_user_8"], None, None)),
        ("users_by_email", ("u7@x.org", None, None, 100)),
        ("users_by_user_key", ("u7", [directory.id], 100)),
        ("users_by_user_key_anywhere", ("u7", 100)),
        ("users_by_external_id_anywhere", ("x7", 100)),
        ("users_by_external_id", ("x7", [directory.id], 100)),
        ("group", ("directory_group_7",)),
        ("groups_of_users", (["directory_user_7", "directory_user_8"], None, None, 100, 100)),
        ("place_of_user", ("directory_user_7",)),
        ("place_of_group", ("directory_group_7",)),
    ):
        found = await plan(stack, sql[name], *arguments)
        for table in ("directory_user", "directory_group", "membership"):
            assert f"Seq Scan on {table}" not in found, name


@pytest.mark.parametrize("backward", [False, True])
async def test_pages_are_ranges_of_an_index_in_either_direction(stack: Stack, directory: Any, backward: bool) -> None:
    await stack.pool.execute(
        "INSERT INTO directory (id, organization_id, name, provider, state, scim_key, created_at, updated_at)"
        " SELECT 'directory_' || i, $1, 'd', 'okta', 'linked', i::text, now(), now() FROM generate_series(1, $2) AS i",
        directory.organization_id,
        ROWS,
    )
    await stack.pool.execute("INSERT INTO head SELECT d.id, 0 FROM directory d ON CONFLICT DO NOTHING")
    await stack.pool.execute("ANALYZE directory, head")
    sql, ends = lookups.SQL, ("", "directory_z", 100)
    step = "Scan Backward using" if backward else "Scan using"
    for statement, arguments in (
        (sql["user_page"], (directory.id, *ends)),
        (sql["user_page_by_state"], (directory.id, *ends, True)),
        (sql["group_page"], (directory.id, *ends)),
        (sql["member_page"], (directory.id, "directory_group_7", *ends, "name")),
        (sql["user_groups_page"], (directory.id, "directory_user_7", *ends)),
        (directories.SQL["page"], (*ends, None, None, None)),
        (directories.SQL["page_of_organization"], (*ends, None, None, None, directory.organization_id)),
    ):
        found = await plan(stack, directed(statement, backward=backward), *arguments)
        assert step in found, found
        assert "Sort" not in found, found
        assert "Seq Scan" not in found, found


async def test_memberships_of_the_past_are_read_in_the_order_of_their_keys(stack: Stack, directory: Any) -> None:
    await stack.pool.execute(
        """INSERT INTO ended_membership (directory_id, group_id, member_id, ended_seq, since_seq, member_type,
                                         created_at, ended_at)
           SELECT $1, 'directory_group_' || i % 50 + 1, 'directory_user_' || i, 9, 1, 'User', now(), now()
             FROM generate_series(1, $2) AS i""",
        directory.id,
        ROWS,
    )
    await stack.pool.execute("ANALYZE ended_membership")
    for name, arguments in (("memberships_at", 5), ("members_at", 6)):
        found = await general_plan(stack, time_travel.SQL[name], arguments)
        assert "Index Scan using membership_pkey" in found, found
        assert "Index Scan using ended_membership_pkey" in found, found
