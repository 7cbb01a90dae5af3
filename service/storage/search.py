"""SCIM queries over one type of resource of one directory.

The text of a statement depends on the shape of a query only, so that the driver keeps it prepared.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from service.domain.group import Group
from service.domain.user import User
from service.scim.attribute_paths import Target
from service.scim.errors import InvalidCursor
from service.scim.filter_ast import AttrPath, Compare, Filter
from service.scim.keys import user_key
from service.scim.member_refs import MemberRef
from service.scim.rendering import GroupRef
from service.scim.schema import USER, ResourceType
from service.scim.search_cursor import Position
from service.storage.database import Pool
from service.storage.filters import FilterCompiler, required_address
from service.storage.queries import load_queries
from service.storage.resource_columns import HAS_ADDRESS, TABLES
from service.storage.resources import indirect_groups
from service.storage.rows import decode_document, group_from_row, user_from_row
from service.storage.sorting import SortKey, sort_key
from service.storage.sql_text import Parameters
from service.storage.transaction import transaction

SQL = load_queries("search")

_SHARED = "u.directory_id, u.organization_id, u.id, u.document::text AS document, u.version, u.created_at, u.updated_at"
_COLUMNS = {"User": _SHARED, "Group": f"{_SHARED}, u.idp_id"}
_KEY_LENGTH = 200  # what pages by cursor tell long values apart by: a cursor has to fit into a URL
_USER_NAME = AttrPath(None, "userName")
_ID = AttrPath(None, "id")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one type of resource. `skip` and `limit` cut a page out of what matches."""

    directory_id: str
    resource_type: ResourceType
    base_url: str
    filter: Filter | None
    sort: Target | None
    descending: bool
    skip: int
    limit: int


def unique_probe(expression: Filter | None, resource_type: ResourceType) -> tuple[str, str] | None:
    """Statement and key of a filter that a unique index of users answers alone."""
    if resource_type is not USER or not isinstance(expression, Compare) or expression.op != "eq":
        return None
    if not isinstance(expression.value, str):
        return None
    if expression.path == _USER_NAME:
        return SQL["user_by_user_key"], user_key(expression.value)
    return (SQL["user_by_id"], expression.value) if expression.path == _ID else None


async def one_user(
    pool: Pool, probe: tuple[str, str], directory_id: str, *, with_groups: bool
) -> tuple[User, list[GroupRef] | None] | None:
    """The user that a unique probe finds; None when there is none."""
    row = await pool.fetchrow(probe[0], directory_id, probe[1], with_groups)
    if row is None:
        return None
    if not with_groups:
        return user_from_row(row), None
    user = user_from_row(row)
    pairs: Any = decode_document(row["groups"]) if row["groups"] else []
    groups = [GroupRef(group_id, name) for group_id, name in pairs]
    if groups and row["nested"]:
        groups += (await indirect_groups(pool, directory_id, [user.id], None)).get(user.id, [])
    return user, groups


async def few(pool: Pool, query: Query, most: int, timeout: float) -> list[User | Group]:
    """All that match a selective filter, at most `most`, in no order."""
    parameters = Parameters(query.directory_id)
    table = _table(query)
    address = required_address(query.filter) if query.filter is not None and query.resource_type is USER else None
    if address is not None:
        # A plan for directories in general would combine the index on addresses with all users of the one.
        few_of_all = HAS_ADDRESS.format(key=parameters.add(address, "text"))
        table = f"(SELECT u.* FROM {table} u WHERE {few_of_all} OFFSET 0)"  # noqa: S608
    where = _where(query, parameters)
    limit = parameters.add(most, "bigint")
    statement = f"SELECT {_columns(query)} FROM {table} u WHERE {where} LIMIT {limit}"  # noqa: S608
    return _resources(await pool.fetch(statement, *parameters.values, timeout=timeout), query.resource_type)


async def page(pool: Pool, query: Query, timeout: float) -> tuple[int, list[User | Group]]:
    """How many match, and the page, in one round trip. Raises TimeoutError after `timeout` seconds."""
    parameters = Parameters(query.directory_id)
    build = _plain_page if query.filter is None and query.sort is None else _matched_page
    statement = build(query, parameters)
    async with transaction(pool) as connection:
        # A plan for directories in general is a bad one for the large ones, and planning costs little next to this.
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await connection.fetch(statement, *parameters.values, timeout=timeout)
    found = [row for row in rows if row["id"] is not None]
    return rows[0]["total"], _resources(found, query.resource_type)


async def page_behind(
    pool: Pool, query: Query, after: Position | None, timeout: float
) -> tuple[int | None, list[tuple[User | Group, str | None]]]:
    """The page behind a position, each resource with the text of its sort key; without a position also how many match.

    Raises TimeoutError after `timeout` seconds.
    """
    statement, arguments = behind_statement(query, after)
    counted = Parameters(query.directory_id)
    counting = f"SELECT count(*) FROM {_table(query)} u WHERE {_where(query, counted)}"  # noqa: S608
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        total = None if after else await connection.fetchval(counting, *counted.values, timeout=timeout)
        try:
            rows = await connection.fetch(statement, *arguments, timeout=timeout)
        except asyncpg.DataError:
            # The only text that is cast to another type is the cursor's.
            raise InvalidCursor("the cursor names no place in the order that is asked for") from None
    found = _resources(rows, query.resource_type)
    return total, [(entity, row["sort_text"]) for entity, row in zip(found, rows, strict=True)]


async def groups_of(
    pool: Pool, directory_id: str, user_ids: Sequence[str], most: int
) -> dict[str, list[GroupRef]] | None:
    """Groups by user, direct ones first; None when they are more than `most`."""
    rows = await pool.fetch(SQL["groups_of_users"], directory_id, user_ids, most + 1)
    found: defaultdict[str, list[GroupRef]] = defaultdict(list)
    for row in rows:
        found[row["holder"]].append(GroupRef(row["id"], row["display_name"]))
    left = most - len(rows)
    if left >= 0 and rows and rows[0]["nested"]:
        for user_id, groups in (await indirect_groups(pool, directory_id, list(found), left + 1)).items():
            found[user_id] += groups
            left -= len(groups)
    return None if left < 0 else found


async def members_of(
    pool: Pool, directory_id: str, group_ids: Sequence[str], most: int
) -> dict[str, list[MemberRef]] | None:
    """Members by group; None when they are more than `most`."""
    rows = await pool.fetch(SQL["members_of_groups"], directory_id, group_ids, most + 1)
    found: defaultdict[str, list[MemberRef]] = defaultdict(list)
    for row in rows:
        found[row["holder"]].append(MemberRef(row["member_id"], row["member_type"], row["name"]))
    return None if len(rows) > most else found


def _plain_page(query: Query, parameters: Parameters) -> str:
    """Without a filter the count and the way to the page read the index only."""
    skip, limit = parameters.add(query.skip, "bigint"), parameters.add(query.limit, "bigint")
    table = _table(query)
    return (
        f"WITH page AS (SELECT k.id FROM {table} k WHERE k.directory_id = $1"  # noqa: S608
        f" ORDER BY k.id OFFSET {skip} LIMIT {limit})"
        f" SELECT n.total, {_columns(query)}"
        f" FROM (SELECT count(*) AS total FROM {table} c WHERE c.directory_id = $1) AS n"
        f" LEFT JOIN (page p JOIN {table} u ON u.directory_id = $1 AND u.id = p.id) ON true ORDER BY u.id"
    )


def _matched_page(query: Query, parameters: Parameters) -> str:
    """Each resource meets the filter once; only those of the page are read whole."""
    key, source = "NULL::text", ""
    if query.sort is not None:
        made = sort_key(query.sort, query.resource_type, query.base_url, parameters)
        key, source = made.expression, f" LEFT JOIN LATERAL {made.source} ON true" if made.source else ""
    where = _where(query, parameters)
    order = "p.k DESC NULLS FIRST, p.id" if query.descending else "p.k ASC NULLS LAST, p.id"
    skip, limit = parameters.add(query.skip, "bigint"), parameters.add(query.limit, "bigint")
    return (
        f"WITH matched AS MATERIALIZED (SELECT u.id, {key} AS k FROM {_table(query)} u{source} WHERE {where}),"  # noqa: S608
        f" page AS (SELECT p.id, p.k FROM matched p ORDER BY {order} OFFSET {skip} LIMIT {limit})"
        f" SELECT c.total, {_columns(query)} FROM (SELECT count(*) AS total FROM matched) AS c"
        f" LEFT JOIN (page p JOIN {_table(query)} u ON u.directory_id = $1 AND u.id = p.id) ON true ORDER BY {order}"
    )


def behind_statement(query: Query, after: Position | None) -> tuple[str, list[Any]]:
    """The statement of a page behind a position, and its arguments."""
    parameters = Parameters(query.directory_id)
    if query.sort is None:
        return _unsorted_behind(query, after, parameters), parameters.values
    return _sorted_behind(query, query.sort, after, parameters), parameters.values


def _unsorted_behind(query: Query, after: Position | None, parameters: Parameters) -> str:
    where = _where(query, parameters)
    if after is not None:
        where += f" AND u.id > {parameters.add(after.id, 'text')}"
    limit = parameters.add(query.limit, "bigint")
    return (
        f"SELECT {_columns(query)}, NULL::text AS sort_text FROM {_table(query)} u WHERE {where}"  # noqa: S608
        f" ORDER BY u.id LIMIT {limit}"
    )


def _sorted_behind(query: Query, sort: Target, after: Position | None, parameters: Parameters) -> str:
    """An index that has the order of the key is entered at the position; without one every page reads what matches."""
    made = sort_key(sort, query.resource_type, query.base_url, parameters)
    if made.source and made.type == "text":
        made = replace(made, expression=f"left({made.expression}, {_KEY_LENGTH})")
    source = f" LEFT JOIN LATERAL {made.source} ON true" if made.source else ""
    where = _where(query, parameters)
    behind = "true" if after is None else _behind(made, after, parameters, descending=query.descending)
    order = "p.k DESC NULLS FIRST, p.id" if query.descending else "p.k ASC NULLS LAST, p.id"
    limit = parameters.add(query.limit, "bigint")
    return (
        f"WITH page AS (SELECT p.id, p.k FROM (SELECT u.id, {made.expression} AS k"  # noqa: S608
        f" FROM {_table(query)} u{source} WHERE {where}) AS p WHERE {behind} ORDER BY {order} LIMIT {limit})"
        f" SELECT {_columns(query)}, p.k::text AS sort_text"
        f" FROM page p JOIN {_table(query)} u ON u.directory_id = $1 AND u.id = p.id ORDER BY {order}"
    )


def _behind(made: SortKey, after: Position, parameters: Parameters, *, descending: bool) -> str:
    """The condition that a row `p` comes behind the position. Absent keys are last, or first when descending."""
    place = parameters.add(after.id, "text")
    if after.key is None:
        behind = f"(p.k IS NULL AND p.id > {place})"
        return f"({behind} OR p.k IS NOT NULL)" if descending else behind
    key = f"{parameters.add(after.key, 'text')}::{made.type}"
    op = "<" if descending else ">"
    behind = f"(p.k {op}= {key} AND (p.k {op} {key} OR p.id > {place}))"
    return f"({behind} OR p.k IS NULL)" if made.nullable and not descending else behind


def _where(query: Query, parameters: Parameters) -> str:
    if query.filter is None:
        return "u.directory_id = $1"
    condition = FilterCompiler(query.resource_type, query.base_url, parameters).condition(query.filter)
    return f"u.directory_id = $1 AND {condition}"


def _columns(query: Query) -> str:
    return _COLUMNS[query.resource_type.name]


def _table(query: Query) -> str:
    return TABLES[query.resource_type.name]


def _resources(rows: Sequence[Any], resource_type: ResourceType) -> list[User | Group]:
    if resource_type is USER:
        return [user_from_row(row) for row in rows]
    return [group_from_row(row) for row in rows]
