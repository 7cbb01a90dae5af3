"""`sortBy` (RFC 7644 section 3.4.2.3) as the key of an ORDER BY clause."""

from dataclasses import dataclass

from service.scim.attribute_paths import Target, read_name
from service.scim.attributes import Attribute
from service.scim.errors import InvalidPath
from service.scim.filter_ast import AttrPath
from service.scim.schema import ResourceType
from service.storage import resource_columns as columns
from service.storage import sql_text as sql
from service.storage.resource_columns import column_of
from service.storage.sql_text import Parameters

_MAX_LENGTH = 1_024
_TYPES = {"boolean": "boolean", "integer": "numeric", "decimal": "numeric"}
_UNSORTABLE = frozenset({"schemas", "groups", "members", "password"})


@dataclass(frozen=True, slots=True)
class SortKey:
    """`expression` over the row `u`, and over `s` when `source` is a FROM item to be joined; `type` is PostgreSQL's."""

    expression: str
    source: str = ""
    type: str = "text"
    nullable: bool = True


def check_sort(text: str, resource_type: ResourceType) -> Target:
    """What `sortBy` names; InvalidPath when results cannot be sorted by it."""
    target = read_name(text, resource_type) if len(text) <= _MAX_LENGTH else None
    if target is None or not target.name or (target.schema_known and not target.known):
        raise InvalidPath(f"sortBy names no attribute of {resource_type.name}")
    attribute = target.sub_attribute or target.attribute
    if target.urn is None and target.name in _UNSORTABLE:
        raise InvalidPath(f"results cannot be sorted by '{target.name}'")
    if attribute is not None and attribute.type == "complex" and attribute.value_attribute is None:
        raise InvalidPath(f"'{target.name}' has no order as a whole; name one of its sub-attributes")
    return target


def sort_key(target: Target, resource_type: ResourceType, base_url: str, parameters: Parameters) -> SortKey:
    """The key of an attribute; NULL where it is absent. Of several values the primary one counts."""
    compared = target.sub_attribute or target.attribute
    if compared is not None and compared.type == "complex":
        compared = compared.value_attribute
    sub = target.sub or (compared.name if compared is not None and compared is not target.attribute else None)
    path = AttrPath(target.urn, target.name, sub)
    if str(path) == "meta.location":
        base = f"{base_url.rstrip('/')}{resource_type.endpoint}/"
        return SortKey(sql.exact(columns.location(parameters.add(base, "text"))), nullable=False)
    column = column_of(path, resource_type)
    if column is not None:
        if column.kind == "time":
            return SortKey(column.expression, type="timestamptz", nullable=False)
        return SortKey(sql.exact(column.expression), nullable=str(path) == "externalId")
    if target.urn is None and resource_type.find(target.name) is None:
        return SortKey("NULL::text")
    source = _first_value(path, parameters, known=target.schema_known)
    return SortKey(_typed(compared), source, _TYPES.get(compared.type if compared else "", "text"))


def _first_value(path: AttrPath, parameters: Parameters, *, known: bool) -> str:
    holder = "u.document"
    if path.urn is not None:
        holder = sql.member(holder, parameters.add(path.urn, "text"), known=known)
    holder = sql.member(holder, parameters.add(path.name, "text"), known=known)
    value = "e.j"
    if path.sub is not None:
        value = sql.plain_or_member("e.j", parameters.add(path.sub, "text"), path.sub, known=known)
    return (
        f"(SELECT {value} FROM {sql.elements(holder)} WITH ORDINALITY AS e(j, n)"  # noqa: S608
        " ORDER BY (e.j -> 'primary') IS DISTINCT FROM 'true'::jsonb, e.n LIMIT 1) AS s(j)"
    )


def _typed(attribute: Attribute | None) -> str:
    kind = attribute.type if attribute else "unknown"
    if kind == "boolean":
        return "CASE WHEN jsonb_typeof(s.j) = 'boolean' THEN (s.j)::boolean END"
    if kind in {"integer", "decimal"}:
        return "CASE WHEN jsonb_typeof(s.j) = 'number' THEN (s.j)::numeric END"
    text = sql.text_of("s.j")
    key = sql.exact(text) if attribute is None or attribute.case_exact else sql.folded(text)
    return f"CASE WHEN jsonb_typeof(s.j) = 'string' THEN {key} END"
