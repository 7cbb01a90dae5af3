"""Users, groups and memberships as they were, as far back as the log reaches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.app import tail_start
from service.app.directories import Directories
from service.app.tail_scope import Scope
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.change import GroupMember
from service.domain.errors import ArgumentError
from service.domain.group import Group, Member
from service.domain.stretch import Stretch
from service.domain.time_travel import Past, Recorded, ahead_of, name_ahead_of, unchanged
from service.domain.user import User
from service.storage import time_travel as table
from service.storage.database import Pool
from service.storage.time_travel import Moment, State

MAX_BATCH = 1_000

AsOf = int | datetime | str
"""Behind the event of a number, behind the last event up to a time, or behind the last that a cursor covers."""


@dataclass(frozen=True, slots=True)
class MembershipMoment:
    """A group and a user at a number of their directory."""

    directory_id: str
    seq: int
    group_id: str
    user_id: str

    @property
    def moment(self) -> Moment:
        """Without whom."""
        return self.directory_id, self.seq


class TimeTravel:
    """Reads of the state as it was. `recorded` reads the payload of an event of a user or group."""

    def __init__(self, pool: Pool, directories: Directories, recorded: Callable[[bytes], Recorded]) -> None:
        self._pool = pool
        self._directories = directories
        self._recorded = recorded

    async def moment(self, caller: Caller, directory_id: str, as_of: AsOf, *, memberships: bool = False) -> Moment:
        """The number that is meant, of a directory within the caller's bounds.

        Raises CursorExpiredError where the log no longer reaches, with `memberships` also where only they do not.
        """
        await self._directories.reached(caller, directory_id)
        seq = await self._number(directory_id, as_of)
        bounds = None if seq is None else await table.bounds(self._pool, (directory_id, seq))
        if seq is None or bounds is None:
            raise await tail_start.expired_behind(self._pool, directory_id)
        if seq > bounds.newest:
            detail = f"as_of lies ahead of the directory's newest event, which has the number {bounds.newest}"
            raise ArgumentError(detail, field="as_of.directory_sequence")
        if not bounds.kept or (memberships and seq < bounds.memberships_from):
            raise await tail_start.expired_behind(self._pool, directory_id)
        return directory_id, seq

    async def _number(self, directory_id: str, as_of: AsOf) -> int | None:
        if isinstance(as_of, int):
            return as_of
        if isinstance(as_of, datetime):
            return await table.number_at_time(self._pool, directory_id, as_of)
        place = await tail_start.locate(self._pool, Scope(frozenset((directory_id,))), as_of)
        if place.by_number:
            return place.place
        return await table.number_at_position(self._pool, directory_id, place.place)

    async def user(self, user_id: str, moment: Moment) -> Past:
        """Raises NotFoundError for one that was not there."""
        (past,) = await self._past([user_id], moment)
        if past is None or not isinstance(past.entity, User):
            raise not_found("User", user_id)
        return past

    async def group(self, group_id: str, moment: Moment) -> Past:
        """As `user`."""
        (past,) = await self._past([group_id], moment)
        if past is None or not isinstance(past.entity, Group):
            raise not_found("Group", group_id)
        return past

    async def memberships(self, moment: Moment, after: tuple[str, str], limit: int) -> list[GroupMember | Member]:
        """Memberships behind a group and member; those that the application did not know are Members without names."""
        return await self._named(moment, await table.memberships(self._pool, moment, after, limit))

    async def members(
        self, group_id: str, moment: Moment, after: str, limit: int, *, users_only: bool
    ) -> list[GroupMember | Member]:
        """As `memberships`, of one group, behind a member."""
        await self._require(group_id, moment, "Group")
        stretch = Stretch(limit, after)
        wanted = stretch.among(ids.USER) if users_only else stretch
        between = (wanted.low, wanted.high)
        return await self._named(moment, await table.members(self._pool, moment, group_id, between, limit))

    async def user_groups(self, user_id: str, moment: Moment, after: str, limit: int) -> list[Past]:
        """Groups behind an id that a user was a direct member of."""
        await self._require(user_id, moment, "User")
        found = await table.groups_of(self._pool, moment, user_id, after, limit)
        return [past for past in await self._past(found, moment) if past is not None]

    async def resolve(
        self, caller: Caller, wanted: Sequence[MembershipMoment]
    ) -> list[tuple[Past | None, Past | None]]:
        """User and group of each moment, None for what cannot be told or is out of the caller's reach."""
        if len(wanted) > MAX_BATCH:
            raise ArgumentError(f"moments has more than {MAX_BATCH} entries", field="moments")
        directories = await self._directories.find_many({one.directory_id for one in wanted})
        reached = {name for name, found in directories.items() if caller.reaches(found.id, found.organization_id)}
        within = [one for one in wanted if one.directory_id in reached]
        places = {moment: place for place, moment in enumerate(dict.fromkeys(one.moment for one in within))}
        asked = dict.fromkeys((places[one.moment], side) for one in within for side in (one.user_id, one.group_id))
        states = await table.states(self._pool, list(places), list(asked), whole=True) if asked else {}
        pasts = {key: self._of(state) for key, state in states.items()}
        return [
            (
                _only(User, pasts.get((places.get(one.moment, -1), one.user_id))),
                _only(Group, pasts.get((places.get(one.moment, -1), one.group_id))),
            )
            for one in wanted
        ]

    async def _past(self, wanted: Sequence[str], moment: Moment) -> list[Past | None]:
        states = await self._states(wanted, moment, whole=True)
        return [self._of(states[one]) if one in states else None for one in wanted]

    async def _states(self, wanted: Sequence[str], moment: Moment, *, whole: bool) -> dict[str, State]:
        if not wanted:
            return {}
        found = await table.states(self._pool, [moment], [(0, one) for one in wanted], whole=whole)
        if any(state.lost for state in found.values()):
            raise await tail_start.expired_behind(self._pool, moment[0])
        return {entity_id: state for (_, entity_id), state in found.items()}

    def _of(self, state: State) -> Past | None:
        if state.event is not None:
            earlier = None if state.earlier is None else self._recorded(state.earlier)
            return ahead_of(self._recorded(state.event), earlier, state.at)
        return None if state.now is None else unchanged(state.now, state.at, newest=state.newest)

    async def _require(self, entity_id: str, moment: Moment, resource_type: str) -> None:
        prefix = ids.USER if resource_type == "User" else ids.GROUP
        state = (await self._states([entity_id], moment, whole=False)).get(entity_id)
        if state is None or not entity_id.startswith(prefix) or self._name(state) is None:
            raise not_found(resource_type, entity_id)

    def _name(self, state: State) -> str | None:
        return state.name if state.event is None else name_ahead_of(self._recorded(state.event))

    async def _named(self, moment: Moment, members: Sequence[Member]) -> list[GroupMember | Member]:
        wanted = dict.fromkeys(entity_id for member in members for entity_id in (member.group_id, member.member_id))
        states = await self._states(list(wanted), moment, whole=False)
        names = {entity_id: self._name(state) for entity_id, state in states.items()}
        return [_with_names(member, names.get(member.group_id), names.get(member.member_id)) for member in members]


def _only(kind: type[User | Group], past: Past | None) -> Past | None:
    return past if past is not None and isinstance(past.entity, kind) else None


def _with_names(member: Member, group_name: str | None, member_name: str | None) -> GroupMember | Member:
    if group_name is None or member_name is None:
        return member
    named = Member(member.group_id, member.member_id, member.type, member_name, member.created_at)
    return GroupMember(member.group_id, group_name, named)
