"""Users and groups as they were, from what the log keeps of their changes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.domain.change import ChangeType
from service.domain.group import Group
from service.domain.user import Document, User

_CREATED = (ChangeType.USER_CREATED, ChangeType.GROUP_CREATED)
_DELETED = (ChangeType.USER_DELETED, ChangeType.GROUP_DELETED)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of a user or group: it as it was behind the event, or at deletion; `previous` as in Change."""

    type: str
    entity: User | Group
    previous: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """A user or group at a moment. Its document is exact; `version` is 0 and `updated_at` None where it cannot be told.

    Memberships move the version and the time of a group without leaving them in the log.
    """

    entity: User | Group
    version: int
    updated_at: datetime | None


def unchanged(entity: User | Group, at: datetime | None, *, newest: bool) -> Past:
    """One of which no event came behind a moment. `at`: when the event at the moment was committed; `newest`: it is the
    directory's last.
    """
    if newest or isinstance(entity, User) or (at is not None and entity.updated_at <= at):
        return _exact(entity)
    return Past(entity, 0, None)


def ahead_of(event: Recorded, earlier: Recorded | None, at: datetime | None) -> Past | None:
    """The state at a moment behind which `event` is the first of its entity; None: it did not exist.

    `earlier`: the newest up to the moment, where it is kept. It is not needed for the document.
    """
    if event.type in _CREATED:
        return None
    if event.type in _DELETED:
        return unchanged(event.entity, at, newest=False)
    if earlier is not None and earlier.type not in _DELETED:
        entity = earlier.entity
        whole = isinstance(entity, User) or entity.version + 1 == event.entity.version
        return _exact(entity) if whole else Past(entity, 0, None)
    before = undone(event)
    return Past(before, before.version if isinstance(before, User) else 0, None)


def undone(event: Recorded) -> User | Group:
    """What an update was made of; its `updated_at` is still that of the update."""
    document = _undo(event.entity.document, event.previous.get("raw_attributes") or {})
    version = event.entity.version - 1
    if isinstance(event.entity, User):
        return replace(event.entity, document=document, version=version)
    idp_id = event.previous.get("idp_id", event.entity.idp_id)
    return replace(event.entity, document=document, version=version, idp_id=idp_id)


def name_ahead_of(event: Recorded) -> str | None:
    """userName or displayName at a moment behind which `event` is the first; None: it did not exist."""
    if event.type in _CREATED:
        return None
    if isinstance(event.entity, User):
        return str(event.previous.get("user_name") or event.entity.user_name)
    return str(event.previous.get("name") or event.entity.name)


def _undo(document: Document, previous: Mapping[str, Any]) -> dict[str, Any]:
    """Documents hold no nulls, so that null says that there was no such attribute."""
    kept = {key: value for key, value in document.items() if key not in previous}
    return kept | {key: value for key, value in previous.items() if value is not None}


def _exact(entity: User | Group) -> Past:
    return Past(entity, entity.version, entity.updated_at)
