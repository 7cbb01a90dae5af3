"""``attributes`` and ``excludedAttributes`` (RFC 7644 section 3.9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from service.scim.attribute_paths import read_name
from service.scim.schema import ResourceType

MAX_NAMES: Final = 200
"""Names in one request; further ones are ignored."""
_ALWAYS: Final = frozenset({"id", "schemas"})

# An attribute with None is meant as a whole, else only the sub-attributes in the set. Keys are lower-cased; those of an
# extension's attributes are (urn, name), the extension as a whole is (urn, "").
_Selection = Mapping[tuple[str, str], frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Projection:
    """Which attributes of a resource are sent. ``attributes`` wins over ``excludedAttributes`` when both are given."""

    included: _Selection | None = None
    excluded: _Selection = field(default_factory=dict)

    @staticmethod
    def parse(
        attributes: str | Sequence[str] | None, excluded: str | Sequence[str] | None, resource_type: ResourceType
    ) -> "Projection":
        """Read both parameters; names in any case, with or without URN. Unknown names select nothing."""
        return _parse(_split(attributes), _split(excluded), resource_type)

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a rendered resource that was asked for."""
        if self.included is not None:
            return _include(document, self.included)
        if not self.excluded:
            return dict(document)
        return _exclude(document, self.excluded)

    def wants(self, name: str) -> bool:
        """Whether any part of a core attribute would be sent, so that it need not be loaded otherwise."""
        key = ("", name.lower())
        if self.included is not None:
            return name in _ALWAYS or key in self.included
        return name in _ALWAYS or key not in self.excluded or self.excluded[key] is not None


def _split(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    given = [names] if isinstance(names, str) else names
    # Microsoft's test calls ask for `emails[type eq "work"]`: the attribute is meant, not a filter.
    parts = [part for name in given for part in _without_filters(name).split(",")]
    return tuple(stripped for part in parts[:MAX_NAMES] if (stripped := part.strip()))


def _without_filters(names: str) -> str:
    if "[" not in names:
        return names
    kept = [piece.partition("]")[2] if index else piece for index, piece in enumerate(names.split("["))]
    return "".join(kept)


@lru_cache(maxsize=512)
def _parse(attributes: tuple[str, ...], excluded: tuple[str, ...], resource_type: ResourceType) -> Projection:
    if attributes:
        return Projection(included=_selection(attributes, resource_type))
    return Projection(excluded=_selection(excluded, resource_type))


def _selection(names: Sequence[str], resource_type: ResourceType) -> _Selection:
    selection: dict[tuple[str, str], frozenset[str] | None] = {}
    for name in names:
        target = read_name(name, resource_type)
        if not target.name and target.urn is None:
            for attribute in resource_type.schema.attributes:
                selection[("", attribute.name.lower())] = None
            continue
        key = ((target.urn or "").lower(), target.name.lower())
        if target.sub is None:
            selection[key] = None
        elif selection.get(key, frozenset()) is not None:
            selection[key] = (selection.get(key) or frozenset()) | {target.sub.lower()}
    return selection


def _include(document: Mapping[str, Any], selection: _Selection) -> dict[str, Any]:
    result: dict[str, Any] = {}
    urns = {urn for urn, _ in selection}
    for name, value in document.items():
        lowered = name.lower()
        if name in _ALWAYS or (lowered, "") in selection:
            result[name] = value
        elif ("", lowered) in selection:
            subs = selection["", lowered]
            part = value if subs is None else _with_subs(value, subs)
            if part not in ({}, []) or subs is None:
                result[name] = part
        elif lowered in urns and isinstance(value, dict):
            part = _include_extension(value, lowered, selection)
            if part:
                result[name] = part
    return result


def _include_extension(extension: dict[str, Any], urn: str, selection: _Selection) -> dict[str, Any]:
    result = {}
    for name, value in extension.items():
        key = (urn, name.lower())
        if key in selection:
            subs = selection[key]
            result[name] = value if subs is None else _with_subs(value, subs)
    return result


def _exclude(document: Mapping[str, Any], selection: _Selection) -> dict[str, Any]:
    result: dict[str, Any] = {}
    urns = {urn for urn, _ in selection}
    for name, value in document.items():
        lowered = name.lower()
        if name in _ALWAYS:
            result[name] = value
        elif (lowered, "") in selection:
            continue
        elif ("", lowered) in selection:
            subs = selection["", lowered]
            if subs is not None:
                result[name] = _without_subs(value, subs)
        elif lowered in urns and isinstance(value, dict):
            result[name] = _exclude_extension(value, lowered, selection)
        else:
            result[name] = value
    return {name: value for name, value in result.items() if value != {} or document[name] == {}}


def _exclude_extension(extension: dict[str, Any], urn: str, selection: _Selection) -> dict[str, Any]:
    result = {}
    for name, value in extension.items():
        key = (urn, name.lower())
        if key not in selection:
            result[name] = value
            continue
        subs = selection[key]
        if subs is not None:
            result[name] = _without_subs(value, subs)
    return result


def _with_subs(value: Any, subs: frozenset[str]) -> Any:
    if isinstance(value, list):
        parts = [_with_subs(element, subs) for element in value]
        return [part for part in parts if part != {}]
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name.lower() in subs}
    return value if "value" in subs else {}


def _without_subs(value: Any, subs: frozenset[str]) -> Any:
    if isinstance(value, list):
        parts = [_without_subs(element, subs) for element in value]
        return [part for part in parts if part != {}]
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name.lower() not in subs}
    return value
