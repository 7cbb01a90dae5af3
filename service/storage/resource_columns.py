"""Where the attributes of a resource are that are not, or not only, in its document. The row is always called `u`."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.scim.filter_ast import AttrPath
from service.scim.schema import GROUP, USER, ResourceType

TABLES: Mapping[str, str] = {USER.name: "directory_user", GROUP.name: "directory_group"}


@dataclass(frozen=True, slots=True)
class Column:
    """An attribute kept in columns. `kind`: `key` (folded by the service), `exact` text, or `time`.

    `whole` is false for a column that is NULL when the document holds something that is no text.
    """

    expression: str
    kind: str
    indexed: bool = False
    whole: bool = True


# The provider is shown milliseconds, so that is what it can compare with.
_META: Mapping[str, Column] = {
    "meta.created": Column("date_trunc('milliseconds', u.created_at)", "time"),
    "meta.lastModified": Column("date_trunc('milliseconds', u.updated_at)", "time"),
    "meta.version": Column("""('W/"' || u.version || '"')""", "exact"),
    "id": Column("u.id", "exact", indexed=True),
    "externalId": Column("u.external_id", "exact", indexed=True, whole=False),
}
_COLUMNS: Mapping[str, Mapping[str, Column]] = {
    USER.name: {
        **_META,
        "userName": Column("u.user_key", "key", indexed=True),
        "meta.resourceType": Column("'User'::text", "exact"),
    },
    GROUP.name: {
        **_META,
        "displayName": Column("u.name_key", "key", indexed=True),
        "meta.resourceType": Column("'Group'::text", "exact"),
    },
}


def column_of(path: AttrPath, resource_type: ResourceType) -> Column | None:
    """The column behind a path; None when it is in the document."""
    return None if path.urn is not None else _COLUMNS[resource_type.name].get(str(path))


def location(base_url: str) -> str:
    """`meta.location`, given the placeholder of the URL in front of the id."""
    return f"({base_url} || u.id)"


SCHEMAS = (
    "(SELECT to_jsonb({core}) UNION ALL SELECT to_jsonb(k.key) FROM jsonb_each(u.document) AS k"
    " WHERE lower(left(k.key, 4)) = 'urn:' AND jsonb_typeof(k.value) = 'object')"
)
"""A FROM item: `schemas`, given the placeholder of the core schema's URN."""

GROUPS = (
    "(SELECT jsonb_build_object('value', m.group_id, '$ref', {base} || '/Groups/' || m.group_id, 'type', 'direct',"
    " 'display', nullif(g.display_name, ''))"
    " FROM membership m JOIN directory_group g ON g.directory_id = m.directory_id AND g.id = m.group_id"
    " WHERE m.directory_id = u.directory_id AND m.member_id = u.id{only})"
)
"""A FROM item: `groups` of a user, given the placeholder of the directory's base URL and conditions."""

MEMBERS = (
    "(SELECT jsonb_build_object('value', m.member_id, '$ref', {base} || '/' || m.member_type || 's/' || m.member_id,"
    " 'type', m.member_type, 'display', nullif(coalesce(m.display, p.user_name, g.display_name), ''))"
    " FROM membership m"
    " LEFT JOIN directory_user p ON p.directory_id = m.directory_id AND p.id = m.member_id"
    " LEFT JOIN directory_group g ON g.directory_id = m.directory_id AND g.id = m.member_id"
    " WHERE m.directory_id = u.directory_id AND m.group_id = u.id{only})"
)
"""A FROM item: `members` of a group, given the placeholder of the directory's base URL and conditions."""

IN_GROUP = (
    "EXISTS (SELECT FROM membership m WHERE m.directory_id = u.directory_id AND m.member_id = u.id"
    " AND m.group_id = {id})"
)
"""Whether a user is in a group, given the placeholder of its id."""

HAS_MEMBER = (
    "EXISTS (SELECT FROM membership m WHERE m.directory_id = u.directory_id AND m.group_id = u.id"
    " AND m.member_id = {id})"
)
"""Whether a group has a member, given the placeholder of its id."""

HAS_ADDRESS = "u.email_keys @> ARRAY[{key}]"
"""Whether a user has an address or, where it has none, such a userName; given the placeholder of a folded text."""
