"""SCIM queries (RFC 7644 sections 3.4.2 and 3.4.3): filter, sort, page, and what belongs to the resources found."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.app.ingest import Loaded
from service.app.slots import Slots
from service.domain.directory import Directory
from service.domain.group import Group
from service.domain.user import User
from service.scim.attribute_paths import Target
from service.scim.errors import TooMany
from service.scim.filters import Filter
from service.scim.projection import Projection
from service.scim.schema import USER, ResourceType
from service.scim.search_cursor import Position
from service.storage import search as table
from service.storage.database import Pool
from service.storage.filters import is_selective
from service.storage.search import Query

DEFAULT_COUNT = 100
MAX_COUNT = 1_000
_MAX_MEMBERSHIPS = 200_000
_SECONDS = 15.0
# An index answers these, unless very many resources share what is looked for.
_PROBE_SECONDS = 5.0
# Of one directory, at work or in line.
_WAITING_SCANS = 16
_WAITING_PROBES = 128


@dataclass(frozen=True, slots=True)
class Found:
    """How many match, those of the page, each with its type, and by cursor the last of them unless it is the last."""

    total: int
    page: Sequence[tuple[ResourceType, Loaded]]
    last: Position | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a client asks. `start_index` is at least 1, `count` from 0 to 1,000."""

    kinds: Sequence[ResourceType]
    filter: Filter | None
    sort: Target | None
    descending: bool
    start_index: int
    count: int
    projections: Mapping[ResourceType, Projection]
    base_url: str


class Search:
    """At most `scans` queries at a time that no index answers, and `probes` that one does; of each one of a directory.

    Together they leave connections of the pool for all others.
    """

    def __init__(self, pool: Pool, scans: int = 2, probes: int = 2) -> None:
        self._pool = pool
        self._scans = Slots(scans, _WAITING_SCANS)
        self._probes = Slots(probes, _WAITING_PROBES)

    async def search(self, directory: Directory, asked: SearchQuery) -> Found:
        """Raises TooMany when the answer would take too long or be too large."""
        skip, count, total = asked.start_index - 1, asked.count, 0
        page: list[tuple[ResourceType, Loaded]] = []
        for kind in asked.kinds:
            query = Query(
                directory_id=directory.id,
                resource_type=kind,
                base_url=asked.base_url,
                filter=asked.filter,
                sort=asked.sort,
                descending=asked.descending,
                skip=max(0, skip - total),
                limit=count - len(page),
            )
            matching, found = await self._one_kind(query, asked.projections[kind])
            total += matching
            page += [(kind, loaded) for loaded in found]
        return Found(total, page)

    async def search_behind(self, directory: Directory, asked: SearchQuery, after: Position | None) -> Found:
        """A page by cursor (RFC 9865): the first one, or the one behind a position; `start_index` is not looked at.

        Raises as `search`, and InvalidCursor.
        """
        kinds = [kind for kind in asked.kinds if after is None or kind is not USER or after.resource_type == USER.name]
        total = 0 if after is None else after.total
        found: list[tuple[ResourceType, User | Group, str | None]] = []
        for kind in kinds:
            query = Query(
                directory_id=directory.id,
                resource_type=kind,
                base_url=asked.base_url,
                filter=asked.filter,
                sort=asked.sort,
                descending=asked.descending,
                skip=0,
                limit=asked.count + 1 - len(found),
            )
            begin = after if after is not None and after.resource_type == kind.name else None
            matching, behind = await self._behind(query, begin)
            total += matching if after is None else 0
            found += [(kind, entity, key) for entity, key in behind]
        shown = found[: asked.count]
        page: list[tuple[ResourceType, Loaded]] = []
        for kind in kinds:
            entities = [entity for of, entity, _ in shown if of is kind]
            query = replace(query, resource_type=kind)
            page += [(kind, loaded) for loaded in await self._loaded(query, entities, asked.projections[kind])]
        last = None
        if len(found) > len(shown):
            kind, entity, key = shown[-1]
            last = Position(kind.name, entity.id, key, total)
        return Found(total, page, last)

    async def _behind(
        self, query: Query, after: Position | None
    ) -> tuple[int, Sequence[tuple[User | Group, str | None]]]:
        """How many match, if this is the first page, and the page."""
        try:
            few = await self._few(query)
            if few is not None:
                behind = [entity for entity in few if after is None or entity.id > after.id]
                return len(few), [(entity, None) for entity in behind[: query.limit]]
            scans = query.sort is not None or query.filter is not None or after is None
            async with self._scans.one(query.directory_id) if scans else contextlib.nullcontext():
                total, found = await table.page_behind(self._pool, query, after, _SECONDS)
                return total or 0, found
        except TimeoutError:
            raise TooMany("the query takes too long; narrow its filter") from None

    async def _one_kind(self, query: Query, projection: Projection) -> tuple[int, Sequence[Loaded]]:
        probe = table.unique_probe(query.filter, query.resource_type)
        if probe is not None:
            return await self._probed(query, probe, projection)
        total, found = await self._matching(query)
        return total, await self._loaded(query, found, projection)

    async def _probed(
        self, query: Query, probe: tuple[str, str], projection: Projection
    ) -> tuple[int, Sequence[Loaded]]:
        with_groups = projection.wants("groups")
        found = await table.one_user(self._pool, probe, query.directory_id, with_groups=with_groups)
        if found is None:
            return 0, ()
        return 1, [Loaded(found[0], groups=found[1])] if query.skip == 0 and query.limit else ()

    async def _matching(self, query: Query) -> tuple[int, Sequence[User | Group]]:
        try:
            few = await self._few(query)
            if few is not None:
                return len(few), few[query.skip : query.skip + query.limit]
            async with self._scans.one(query.directory_id):
                return await table.page(self._pool, query, _SECONDS)
        except TimeoutError:
            raise TooMany("the query takes too long; narrow its filter") from None

    async def _few(self, query: Query) -> Sequence[User | Group] | None:
        """All that match, in order, where an index finds them and they are few; None: page through them instead."""
        if query.sort is not None or query.filter is None or not is_selective(query.filter, query.resource_type):
            return None
        async with self._probes.one(query.directory_id):
            found = await table.few(self._pool, query, MAX_COUNT + 1, _PROBE_SECONDS)
        return sorted(found, key=lambda resource: resource.id) if len(found) <= MAX_COUNT else None

    async def _loaded(self, query: Query, found: Sequence[User | Group], projection: Projection) -> Sequence[Loaded]:
        ids = [resource.id for resource in found]
        if query.resource_type is USER:
            if not ids or not projection.wants("groups"):
                return [Loaded(user) for user in found]
            groups = await table.groups_of(self._pool, query.directory_id, ids, _MAX_MEMBERSHIPS)
            if groups is None:
                raise _too_many("groups")
            return [Loaded(user, groups=groups.get(user.id, ())) for user in found]
        if not ids or not projection.wants("members"):
            return [Loaded(group) for group in found]
        members = await table.members_of(self._pool, query.directory_id, ids, _MAX_MEMBERSHIPS)
        if members is None:
            raise _too_many("members")
        return [Loaded(group, members=members.get(group.id, ())) for group in found]


def _too_many(name: str) -> TooMany:
    return TooMany(f"the page would hold more than {_MAX_MEMBERSHIPS} {name}; lower count or exclude {name}")
