"""A State for tests of decisions: what is told to it exists, everything else does not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service.domain.change import GroupMember
from service.domain.commands import Command
from service.domain.decide import decide
from service.domain.decision import Decision
from service.domain.directory import DirectoryState
from service.domain.group import Group, Member
from service.domain.needs import Missing
from service.domain.policy import Policy
from service.domain.state import Head, Ref, State
from service.domain.user import User
from service.domain.view import View

DIRECTORY = "directory_1"
THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def user(user_id: str, user_name: str, **attributes: Any) -> User:
    return User(DIRECTORY, "org_1", user_id, {"userName": user_name, "active": True, **attributes}, 1, THEN, THEN)


def group(group_id: str, name: str, **attributes: Any) -> Group:
    return Group(DIRECTORY, "org_1", group_id, {"displayName": name, **attributes}, name, 1, THEN, THEN)


class World:
    """Users, groups and memberships of one directory; `decide` loads what a decision misses, as a batch does."""

    def __init__(
        self,
        users: Sequence[User] = (),
        groups: Sequence[Group] = (),
        members: Mapping[str, Sequence[str]] | None = None,
        *,
        provider: str = "okta",
        state: DirectoryState = DirectoryState.LINKED,
        policy: Policy | None = None,
    ) -> None:
        self.state = State([Head(DIRECTORY, "org_1", provider, state, 0, policy or Policy())])
        self.loads = 0
        self._users = {item.id: item for item in users}
        self._groups = {item.id: item for item in groups}
        self._members = {key: list(value) for key, value in (members or {}).items()}
        self.asked_for_all_members = False

    def decide(self, command: Command) -> Decision:
        while True:
            try:
                decision = decide(View(self.state, DIRECTORY), command, NOW)
            except Missing as missing:
                self._load(missing)
                continue
            self.state.apply(DIRECTORY, decision.writes)
            return decision

    def _load(self, missing: Missing) -> None:
        self.loads += 1
        needs = missing.needs
        for item in self._users.values():
            if (DIRECTORY, item.id) in needs.user_ids:
                self.state.know_user(item)
            if (DIRECTORY, item.key) in needs.user_keys:
                self.state.know_user_key(DIRECTORY, item.key, item.id)
            if (DIRECTORY, item.id) in needs.refs:
                self.state.know_ref(DIRECTORY, Ref(item.id, "User", item.user_name))
        for item in self._groups.values():
            if (DIRECTORY, item.id) in needs.group_ids:
                self.state.know_group(item)
            if (DIRECTORY, item.id) in needs.refs:
                self.state.know_ref(DIRECTORY, Ref(item.id, "Group", item.name))
        for _, external_id in needs.externals:
            for item in self._users.values():
                if item.external_id == external_id:
                    self.state.know_external(DIRECTORY, external_id, Ref(item.id, "User", item.user_name))
        for _, email in needs.emails:
            for item in self._users.values():
                if item.active and email in item.email_keys:
                    self.state.know_email(DIRECTORY, email, item.id)
        for _, user_id in needs.user_groups:
            for group_id, found in self._members.items():
                if user_id in found:
                    member = self._member(group_id, user_id, "")
                    self.state.know_user_group(DIRECTORY, GroupMember(group_id, self._groups[group_id].name, member))
        for _, key in needs.group_keys:
            bearers = frozenset(item.id for item in self._groups.values() if item.key == key)
            self.state.know_group_key(DIRECTORY, key, bearers)
        for _, group_id, member_id in needs.members:
            if member_id in self._members.get(group_id, ()):
                self.state.know_member(DIRECTORY, self._member(group_id, member_id, ""))
        for _, group_id in needs.all_members:
            self.asked_for_all_members = True
            found = self._members.get(group_id, ())
            named = {member_id: self._member(group_id, member_id, self._name(member_id)) for member_id in found}
            self.state.know_all_members(DIRECTORY, group_id, named)
        self.state.know_nothing_else(needs)

    def _name(self, member_id: str) -> str:
        found = self._users.get(member_id)
        return found.user_name if found else self._groups[member_id].name

    def _member(self, group_id: str, member_id: str, name: str) -> Member:
        return Member(group_id, member_id, "User" if member_id in self._users else "Group", name, THEN)
