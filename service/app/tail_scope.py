"""Which events a reader gets: the caller's bounds and the reader's filter in one value."""

from dataclasses import dataclass, field
from functools import cached_property

from service.domain.caller import Caller, not_found
from service.domain.errors import ArgumentError
from service.storage import feed as table
from service.storage.feed import Source, Wanted

MAX_FILTER_VALUES = 1000
_MAX_VALUE_LENGTH = 256
_ANY_SUFFIX = ".*"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a reader asks for; empty means every one. Types are exact or end in `.*`."""

    directory_ids: tuple[str, ...] = ()
    organization_ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("directory_ids", "organization_ids", "types"):
            values: tuple[str, ...] = getattr(self, name)
            if len(values) > MAX_FILTER_VALUES:
                raise ArgumentError(f"filter.{name} holds more than {MAX_FILTER_VALUES} values", field=f"filter.{name}")
            if any(not value or len(value) > _MAX_VALUE_LENGTH or "\0" in value for value in values):
                raise ArgumentError(f"filter.{name} holds an empty, overlong or broken value", field=f"filter.{name}")
        for value in self.types:
            stem = value.removesuffix(_ANY_SUFFIX)
            if "*" in stem or not stem:
                detail = f"{value!r} is not a type: `*` may only stand at the end, behind a dot"
                raise ArgumentError(detail, field="filter.types")


@dataclass(frozen=True)
class Scope:
    """Bounds (None: none) and types. Equal scopes read equal bytes."""

    directory_ids: frozenset[str] | None = None
    organization_ids: frozenset[str] | None = None
    types: frozenset[str] | None = None
    beginnings: tuple[str, ...] = ()
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def directory_id(self) -> str | None:
        """The one directory in scope, if it is one."""
        if self.directory_ids is not None and len(self.directory_ids) == 1:
            return next(iter(self.directory_ids))
        return None

    @property
    def unbounded(self) -> bool:
        """Every directory, every type."""
        return self.directory_ids is None and self.organization_ids is None

    @cached_property
    def size(self) -> int:
        """Bytes that its texts take, roughly."""
        texts = (*(self.directory_ids or ()), *(self.organization_ids or ()), *(self.types or ()), *self.beginnings)
        return sum(100 + len(text) for text in texts)

    def reaches(self, directory_id: str, organization_id: str) -> bool:
        """Whether the directory is in scope."""
        return (self.directory_ids is None or directory_id in self.directory_ids) and (
            self.organization_ids is None or organization_id in self.organization_ids
        )

    def wants(self, event_type: str) -> bool:
        """Whether the type is in scope."""
        if self.types is None:
            return True
        known = self._known.get(event_type)
        if known is None:
            known = event_type in self.types or event_type.startswith(self.beginnings)
            self._known[event_type] = known
        return known

    def wanted(self) -> Wanted:
        """For a page."""
        return Wanted(
            directory_ids=None if self.directory_ids is None else sorted(self.directory_ids),
            organization_ids=None if self.organization_ids is None else sorted(self.organization_ids),
            types=None if self.types is None else sorted(self.types),
            beginnings=self.beginnings,
        )


async def resolve_scope(source: Source, caller: Caller, wanted: EventFilter) -> Scope:
    """The filter within the caller's bounds. NotFoundError for a directory or organization out of its reach."""
    if wanted.directory_ids:
        organizations = await table.organizations_of(source, wanted.directory_ids)
        for directory_id in wanted.directory_ids:
            organization_id = organizations.get(directory_id)
            if organization_id is None or not caller.reaches(directory_id, organization_id):
                raise not_found("Directory", directory_id)
    if wanted.organization_ids:
        bound = sorted(caller.directory_ids) or None
        known = await table.known_organizations(source, wanted.organization_ids, bound)
        for organization_id in wanted.organization_ids:
            if organization_id not in known or organization_id not in (caller.organization_ids or known):
                raise not_found("Organization", organization_id)
    return scope_within(caller.organization_ids, caller.directory_ids, wanted)


def scope_within(organization_ids: frozenset[str], directory_ids: frozenset[str], wanted: EventFilter) -> Scope:
    """The filter within bounds that it was checked against; empty bounds: none."""
    exact = frozenset(value for value in wanted.types if not value.endswith(_ANY_SUFFIX))
    return Scope(
        directory_ids=frozenset(wanted.directory_ids) or directory_ids or None,
        organization_ids=frozenset(wanted.organization_ids) or organization_ids or None,
        types=exact if wanted.types else None,
        beginnings=tuple(sorted({value[:-1] for value in wanted.types if value.endswith(_ANY_SUFFIX)})),
    )
