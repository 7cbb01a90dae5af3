"""What a provider can ask for, after decoding. Values only; ids of new resources are chosen by the caller."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.scim.documents import Decoded
from service.scim.members import MemberPlan
from service.scim.messages import Operation


@dataclass(frozen=True, slots=True)
class CreateUser:
    """POST /Users. `announced`: others may refer to the id already."""

    id: str
    decoded: Decoded
    announced: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceUser:
    """PUT /Users/{id}."""

    id: str
    decoded: Decoded
    if_match: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PatchUser:
    """PATCH /Users/{id}."""

    id: str
    operations: Sequence[Operation]
    if_match: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DeleteUser:
    """DELETE /Users/{id}."""

    id: str
    if_match: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """POST /Groups. `announced`: others may refer to the id already."""

    id: str
    decoded: Decoded
    announced: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceGroup:
    """PUT /Groups/{id}."""

    id: str
    decoded: Decoded
    if_match: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PatchGroup:
    """PATCH /Groups/{id}: what touches the document, and what touches members, apart."""

    id: str
    plan: MemberPlan
    if_match: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """DELETE /Groups/{id}."""

    id: str
    if_match: Sequence[str] = ()


UserCommand = CreateUser | ReplaceUser | PatchUser | DeleteUser
GroupCommand = CreateGroup | ReplaceGroup | PatchGroup | DeleteGroup
Command = UserCommand | GroupCommand
