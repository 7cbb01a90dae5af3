"""From which event to which a membership holds, for the commands of one batch in their order. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.domain.change import ChangeType, Event, GroupMember
from service.domain.group import Member
from service.domain.needs import Key, MemberKey
from service.domain.writes import Writes

_GONE = (ChangeType.USER_DELETED, ChangeType.GROUP_DELETED)


@dataclass(frozen=True, slots=True)
class Ended:
    """A membership that began and ended in one batch. It held behind `since`, up to and without `ended`."""

    key: MemberKey
    member: Member
    since: int
    ended: int


@dataclass(slots=True)
class History:
    """What the rows of memberships say of their place in the log.

    `since`: begun in this batch and still there. `stored_ended`: rows of before this batch that ended, and where.
    `gone`: where a user or group went, with every membership it had.
    """

    since: dict[MemberKey, int] = field(default_factory=dict)
    stored_ended: dict[MemberKey, int] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    gone: dict[Key, int] = field(default_factory=dict)
    _begun: dict[MemberKey, Member] = field(default_factory=dict)

    def record(self, writes: Writes, events: Sequence[Event], head_seq: int) -> None:
        """One command: what it writes, its events, and its directory's newest number after it.

        What has no event, because the application does not know the member, takes that number.
        """
        places = {
            (entity.group_id, entity.member.member_id): event.seq
            for event in events
            if isinstance(entity := event.change.entity, GroupMember)
        }
        for key, member in writes.members.items():
            at = places.get(key[1:], head_seq)
            if member is not None:
                self.since[key], self._begun[key] = at, member
            elif key in self.since:
                begun, since = self._begun.pop(key), self.since.pop(key)
                if since < at:
                    self.ended.append(Ended(key, begun, since, at))
            else:
                self.stored_ended[key] = at
        if writes.gone_users or writes.gone_groups:
            ends = {event.change.entity_id: event.seq for event in events if event.change.type in _GONE}
            for gone in (*writes.gone_users, *writes.gone_groups):
                self.gone[gone] = ends.get(gone[1], head_seq)
