"""A filter selects in the database exactly what it matches in memory."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from service.domain.decision import etag
from service.domain.group import Group
from service.domain.user import User
from service.rpc.documents import instant
from service.scim.documents import decode
from service.scim.errors import ScimError
from service.scim.filter_ast import AttrPath, Compare, Filter, Not, Present, ValuePath, to_text
from service.scim.filters import parse_filter
from service.scim.match import matches
from service.scim.rendering import GroupRef, MemberRef, render
from service.scim.schema import GROUP, USER, ResourceType
from service.storage.filters import FilterCompiler
from service.storage.resource_columns import TABLES
from service.storage.sql_text import Parameters
from tests.property.scim import strategies as s
from tests.support import postgres
from tests.support.stack import put_groups, put_users

BASE = "https://dir.example/scim/v2/key"
DIRECTORY = "directory_1"
T0 = datetime(2031, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
MEMBERS = [MemberRef("u1", "User", "Ada L"), MemberRef("u2", "User", "Shown As"), MemberRef("g9", "Group", "Ops")]
GROUP_REFS = [GroupRef("g1", "Ops"), GroupRef("g2", "Straße")]

moments = st.sampled_from(
    [
        "2031-01-01T12:00:00.123Z",
        "2031-01-01T12:00:01.123Z",
        "2031-01-01T13:00:02.123+01:00",
        "2031-01-01",
        "2031-01-01T12:00:00",
    ]
)
orders = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
odd_words = s.words | st.sampled_from(
    ["Straße", "STRASSE", "ſ", "İ", "%", "_", "a%", "\\", "ＡB", "", " ", "ops", "u1", "g1", "user", "direct"]
)


def text_comparison(*paths: AttrPath) -> st.SearchStrategy[Filter]:
    return st.builds(Compare, st.sampled_from(paths), s.text_ops, odd_words | st.none()).filter(
        lambda term: term.value is not None or term.op in {"eq", "ne"}
    ) | st.builds(Present, st.sampled_from(paths))


def attribute(name: str, sub: str | None = None) -> AttrPath:
    return AttrPath(None, name, sub)


shared = (
    text_comparison(attribute("id"), attribute("externalId"), attribute("displayName"), attribute("schemas"))
    | text_comparison(*[attribute("meta", sub) for sub in ("resourceType", "version", "location")])
    | st.builds(
        Compare, st.sampled_from([attribute("meta", "created"), attribute("meta", "lastModified")]), orders, moments
    )
    | st.builds(
        Compare,
        st.sampled_from([AttrPath("urn:x:y", "n"), AttrPath("urn:x:y", "foo")]),
        orders,
        st.integers(-3, 3) | st.floats(-3, 3),
    )
    | st.builds(Compare, st.just(AttrPath("urn:x:y", "foo")), st.sampled_from(["eq", "ne"]), st.booleans())
    | st.just(Present(attribute("meta")))
)
inner_terms = st.builds(
    Compare,
    st.sampled_from([attribute("value"), attribute("display"), attribute("type"), attribute("$ref")]),
    s.text_ops,
    odd_words,
)


def value_path(*names: str) -> st.SearchStrategy[Filter]:
    return st.builds(ValuePath, st.sampled_from([attribute(name) for name in names]), s.combined(inner_terms, 3))


user_filters = s.combined(
    s.comparisons
    | s.value_paths
    | shared
    | text_comparison(
        attribute("userName"), attribute("emails", "value"), attribute("roles", "value"), attribute("title")
    )
    | text_comparison(*[attribute("groups", sub) for sub in ("value", "display", "type", "$ref")])
    | value_path("groups", "emails", "roles")
    | st.builds(
        ValuePath,
        st.just(attribute("meta")),
        st.builds(Compare, st.just(attribute("resourceType")), s.text_ops, odd_words),
    )
    | st.builds(
        Compare, st.just(attribute("emails", "primary")), st.sampled_from(["eq", "ne"]), st.booleans() | st.none()
    ),
    6,
)
group_filters = s.combined(
    shared
    | text_comparison(*[attribute("members", sub) for sub in ("value", "display", "type", "$ref")])
    | value_path("members")
    | st.just(Present(attribute("members"))),
    6,
)
extras = st.fixed_dictionaries(
    {},
    optional={
        "urn:x:y": st.fixed_dictionaries(
            {}, optional={"foo": s.scalars | st.lists(s.words, max_size=2), "n": st.integers(-3, 3)}
        )
    },
)
bodies = s.bodies | st.builds(
    lambda document, extra, name: {**document, **extra, "displayName": name}, s.documents, extras, odd_words
)


class Database:
    """A database, and the loop that it is used from."""

    def __init__(self, connection: Any, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.connection = connection
        self.run = run

    async def select(self, kind: ResourceType, rows: Sequence[User | Group], expression: Filter) -> set[str]:
        """Ids of those rows that the condition selects. Nothing is kept."""
        parameters = Parameters(DIRECTORY)
        condition = FilterCompiler(kind, BASE, parameters).condition(expression)
        statement = f"SELECT u.id FROM {TABLES[kind.name]} u WHERE u.directory_id = $1 AND {condition}"
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            await (put_users if kind is USER else put_groups)(self.connection, rows)
            return {row["id"] for row in await self.connection.fetch(statement, *parameters.values)}
        finally:
            await transaction.rollback()


@pytest.fixture(scope="module")
def database(postgres_server: postgres.Server, database_template: str) -> Iterator[Database]:
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    async def start() -> Any:
        url = await stack.enter_async_context(postgres_server.database(template=database_template))
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await fill(connection)
        return connection

    yield Database(loop.run_until_complete(start()), loop.run_until_complete)
    loop.run_until_complete(stack.aclose())
    loop.close()


async def fill(connection: Any) -> None:
    """Memberships of whatever will be called user_0 and group_0, and who is in them."""
    await put_users(connection, [user("u1", {"userName": "Ada L"}), user("u2", {"userName": "Bob M"})])
    await put_groups(
        connection, [group(f"g{n}", {"displayName": name}) for n, name in ((1, "Ops"), (2, "Straße"), (9, "Ops"))]
    )
    rows: list[tuple[str | None, ...]] = [(ref.value, "user_0", "User", None) for ref in GROUP_REFS]
    rows += [("group_0", ref.value, ref.type, ref.display if ref.display == "Shown As" else None) for ref in MEMBERS]
    await connection.executemany(
        "INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at, display)"
        " VALUES ($1, $2, $3, $4, now(), $5)",
        [(DIRECTORY, *row) for row in rows],
    )


def user(user_id: str, document: dict[str, Any], number: int = 0) -> User:
    at = T0 + timedelta(seconds=number)
    return User(DIRECTORY, "org_1", user_id, document, number + 1, at, at)


def group(group_id: str, document: dict[str, Any], number: int = 0) -> Group:
    at = T0 + timedelta(seconds=number)
    return Group(DIRECTORY, "org_1", group_id, document, "x", number + 1, at, at)


def expected(kind: ResourceType, rows: Sequence[User | Group], expression: Filter) -> set[str]:
    return {row.id for row in rows if matches(expression, shown(kind, row), kind)}


def shown(kind: ResourceType, row: User | Group) -> dict[str, Any]:
    first = row.id.endswith("_0")
    return render(
        row.document,
        resource_type=kind,
        id=row.id,
        created=instant(row.created_at),
        modified=instant(row.updated_at),
        version=etag(row.version),
        base_url=BASE,
        groups=(GROUP_REFS if first else []) if kind is USER else None,
        members=(MEMBERS if first else []) if kind is GROUP else None,
    )


def decoded(kind: ResourceType, made: list[Any]) -> list[dict[str, Any]]:
    documents = []
    for body in made:
        try:
            documents.append(decode(body, kind).document)
        except ScimError:
            continue
    assume(documents)
    return documents


def users(documents: list[dict[str, Any]]) -> list[User]:
    """One for each different userName."""
    found = {row.key: row for row in (user(f"user_{n}", document, n) for n, document in enumerate(documents))}
    return [row for key, row in found.items() if key not in {"ada l", "bob m"}]


def difference(
    database: Database, kind: ResourceType, rows: Sequence[User | Group], expression: Filter
) -> tuple[set[str], set[str]]:
    # The tree as the parser would have given it: with its types and canonical names.
    try:
        expression = parse_filter(to_text(expression), kind)
    except ScimError:
        assume(condition=False)
    selected = database.run(database.select(kind, rows, expression)) & {row.id for row in rows}
    return selected, expected(kind, rows, expression)


@settings(deadline=None, max_examples=300)
@given(st.lists(bodies, min_size=1, max_size=5), user_filters)
def test_users_selected_are_the_users_that_match(
    database: Database, made: list[dict[str, Any]], expression: Filter
) -> None:
    rows = users(decoded(USER, made))
    selected, wanted = difference(database, USER, rows, expression)
    assert selected == wanted


@settings(deadline=None, max_examples=200)
@given(st.lists(bodies, min_size=1, max_size=5), group_filters)
@example([{"displayName": "g", "externalId": [False]}], Compare(attribute("externalId"), "eq", None))
def test_groups_selected_are_the_groups_that_match(
    database: Database, made: list[dict[str, Any]], expression: Filter
) -> None:
    rows = [group(f"group_{n}", document, n) for n, document in enumerate(decoded(GROUP, made))]
    selected, wanted = difference(database, GROUP, rows, expression)
    assert selected == wanted


@settings(deadline=None, max_examples=100)
@given(bodies, user_filters)
def test_a_filter_and_its_negation_part_the_users(database: Database, made: dict[str, Any], expression: Filter) -> None:
    rows = users(decoded(USER, [made]))
    selected, _ = difference(database, USER, rows, expression)
    rejected, _ = difference(database, USER, rows, Not(expression))
    assert (selected, rejected) in (({"user_0"}, set()), (set(), {"user_0"}))
