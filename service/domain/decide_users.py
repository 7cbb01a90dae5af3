"""(state, command on a user) -> decision, or an error that belongs to that command alone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from service.domain.caller import not_found
from service.domain.change import Change, ChangeType, GroupMember
from service.domain.commands import CreateUser, DeleteUser, PatchUser, ReplaceUser
from service.domain.decision import Decision, Outcome, check_version
from service.domain.equality import same
from service.domain.policy import Deactivation
from service.domain.references import arrive
from service.domain.user import User, previous_of
from service.domain.view import View
from service.domain.writes import Writes
from service.scim.documents import Diagnostic, merge_put
from service.scim.errors import Uniqueness
from service.scim.patch import apply_patch
from service.scim.schema import USER


def create_user(view: View, command: CreateUser, now: datetime) -> Decision:
    """POST: a new user, unless the userName is taken, by an inactive user too: then the client links to that one."""
    user = User(
        directory_id=view.directory_id,
        organization_id=view.head.organization_id,
        id=command.id,
        document=command.decoded.prepared,
        version=1,
        created_at=now,
        updated_at=now,
    )
    user = _hidden_if_due(view, user)
    _check_unique(view, user)
    decision = _written(user, [Change(ChangeType.USER_CREATED, user)], command.decoded.diagnostics)
    begun = arrive(view, user, decision.writes, now, announced=command.announced)
    return replace(decision, changes=[] if user.hidden else [*decision.changes, *begun])


def replace_user(view: View, command: ReplaceUser, now: datetime) -> Decision:
    """PUT: never creates."""
    user = _existing(view, command.id, command.if_match)
    document = merge_put(dict(user.document), command.decoded)
    return _update(view, user, document, command.decoded.diagnostics, now)


def patch_user(view: View, command: PatchUser, now: datetime) -> Decision:
    """PATCH: all operations or none."""
    user = _existing(view, command.id, command.if_match)
    patched = apply_patch(user.document, command.operations, USER, resource_id=user.id)
    return _update(view, user, patched.document, patched.diagnostics, now)


def delete_user(view: View, command: DeleteUser, now: datetime) -> Decision:
    """DELETE: the user's memberships end with it and are not announced one by one."""
    del now
    user = _existing(view, command.id, command.if_match)
    writes = Writes(gone_users={(view.directory_id, user.id)})
    changes = [] if user.hidden else [Change(ChangeType.USER_DELETED, user)]
    return Decision(Outcome(user, changed=True), changes, writes)


def _existing(view: View, user_id: str, if_match: Sequence[str]) -> User:
    user = view.user(user_id)
    if user is None:
        raise not_found("User", user_id)
    check_version(user, if_match)
    return user


def _hidden_if_due(view: View, user: User) -> User:
    due = view.head.policy.deactivation is Deactivation.DELETE and not user.active
    return replace(user, hidden=True) if due else user


def _check_unique(view: View, user: User) -> None:
    holder = view.users_with_keys([user.key]).get(user.key, user.id)
    if holder != user.id:
        raise Uniqueness("another user of this directory has this userName")
    if view.head.policy.unique_emails and user.active and view.active_with_emails(user.email_keys) - {user.id}:
        raise Uniqueness("another active user of this directory has this e-mail address")


def _update(
    view: View, user: User, document: Mapping[str, Any], diagnostics: Sequence[Diagnostic], now: datetime
) -> Decision:
    if same(document, user.document):
        return Decision(Outcome(user, changed=False, diagnostics=diagnostics))
    updated = User(
        directory_id=user.directory_id,
        organization_id=user.organization_id,
        id=user.id,
        document=document,
        version=user.version + 1,
        created_at=user.created_at,
        updated_at=now,
    )
    updated = _hidden_if_due(view, updated)
    if updated.key != user.key or view.head.policy.unique_emails:
        _check_unique(view, updated)
    decision = _written(updated, _announcement(view, user, updated), diagnostics)
    if updated.key != user.key:
        decision.writes.renamed.add((user.directory_id, user.id))
    if updated.key == user.key and updated.external_id == user.external_id:
        return decision
    begun = arrive(view, updated, decision.writes, now)
    return replace(decision, changes=[] if updated.hidden and user.hidden else [*decision.changes, *begun])


def _announcement(view: View, user: User, updated: User) -> list[Change]:
    """What an update looks like to the application: for a hidden user, nothing, or that it comes or goes."""
    if updated.hidden:
        return [] if user.hidden else [Change(ChangeType.USER_DELETED, user)]
    places: list[Change] = []
    if user.hidden or (updated.active and not user.active and view.head.policy.announce_on_reactivation):
        places = [_begun(place, updated) for place in view.groups_of(user.id)]
    if user.hidden:
        return [Change(ChangeType.USER_CREATED, updated), *places]
    return [Change(ChangeType.USER_UPDATED, updated, previous_of(user, updated)), *places]


def _begun(place: GroupMember, user: User) -> Change:
    named = replace(place.member, name=user.user_name, hidden=False)
    return Change(ChangeType.MEMBER_ADDED, replace(place, member=named))


def _written(user: User, changes: Sequence[Change], diagnostics: Sequence[Diagnostic]) -> Decision:
    writes = Writes(users={(user.directory_id, user.id): user})
    return Decision(Outcome(user, changed=True, diagnostics=diagnostics), changes, writes)
