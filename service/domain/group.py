"""A group and its members: the stored document and the normalised fields read from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from service.domain.user import text
from service.scim.keys import group_key

MemberType = Literal["User", "Group"]


@dataclass(frozen=True, slots=True)
class Group:
    """A group as stored. `document` is canonical SCIM without `id`, `meta`, `members`."""

    directory_id: str
    organization_id: str
    id: str
    document: Mapping[str, Any]
    idp_id: str
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """displayName as the provider spelled it."""
        return str(self.document["displayName"])

    @property
    def key(self) -> str:
        """What names are compared by."""
        return group_key(self.name)

    @property
    def external_id(self) -> str | None:
        """The provider's id."""
        return text(self.document.get("externalId"))


@dataclass(frozen=True, slots=True)
class Member:
    """One place in one group. `name` is its userName or displayName, `display` what the provider shows for it.

    `hidden`: the application does not know the member.
    """

    group_id: str
    member_id: str
    type: MemberType
    name: str
    created_at: datetime
    display: str | None = None
    hidden: bool = False


def group_fields(group: Group) -> dict[str, Any]:
    """The normalised fields of DirectoryGroup (resources.proto) that can change."""
    return {"idp_id": group.idp_id, "name": group.name}
