"""The editing of one document under PATCH: copies what it touches, leaves the original alone."""

from collections.abc import Mapping
from typing import Any, Final

from service.scim.attributes import Attribute, Schema
from service.scim.coercion import (
    Diagnostic,
    Notes,
    coerce,
    coerce_element,
    coerce_list,
    is_shell,
    keep_one_primary,
    one_object,
    without_nulls,
)
from service.scim.errors import InvalidValue, Mutability, NoTarget, TooMany
from service.scim.filter_ast import size, work_of_text
from service.scim.match import value_test
from service.scim.patch_values import described_by, is_creatable, merge_values, without
from service.scim.paths import PatchPath
from service.scim.schema import ResourceType

MAX_PATCH_WORK: Final = 40_000
"""Values compared by all operations of one request: less than a tenth of a second, in which nothing else is done."""


class Editor:
    """A document being changed. ``document`` is the state so far, ``notes`` what was not understood."""

    __slots__ = ("_owned", "_spellings", "_work", "document", "notes", "resource_type")

    def __init__(self, document: Mapping[str, Any], resource_type: ResourceType) -> None:
        self.document: dict[str, Any] = dict(document)
        self.resource_type = resource_type
        self.notes: Notes = []
        self._owned: set[str] = set()
        self._spellings: dict[tuple[str, str], str] = {}
        self._work = 0

    def assign(self, path: PatchPath, value: object, *, add: bool) -> None:
        """``add`` or ``replace``; null and blank text unassign (dialect rule 5)."""
        definition = path.definition
        if definition is None:
            self._assign_whole(path, value, add=add)
        elif path.filter is not None:
            self._assign_selected(path, definition, value, add=add)
        elif path.sub is not None:
            self._assign_sub(path, definition, value)
        elif definition.multi_valued:
            self._assign_list(path, definition, value, add=add)
        elif definition.type == "complex":
            self._assign_object(path, definition, value)
        else:
            self._put(path, coerce(definition, value, path.attribute, self.notes))

    def remove(self, path: PatchPath, value: object) -> None:
        """``remove``; what is absent is removed already (row X06). A list of values selects (row E05)."""
        definition = path.definition
        if definition is not None and definition.required and path.sub is None:
            raise Mutability(f"{path.attribute} is required and cannot be removed")
        current = self._current(path)
        if current is None:
            return
        if path.filter is None and path.sub is None:
            wanted = None
            if value is not None and definition is not None and definition.multi_valued:
                wanted = coerce_list(definition, value, path.attribute, self.notes) or []
            if wanted is None:
                self._put(path, None)
            else:
                self._put(path, without(_as_list(current), wanted, self._spend))
        elif path.sub is None:
            chosen = {id(element) for element in self._selected(path, current)}
            self._put(path, [element for element in _as_list(current) if id(element) not in chosen])
        else:
            for element in self._selected(path, current):
                element.pop(path.sub, None)
            self._settle(path, current)

    def _assign_object(self, path: PatchPath, definition: Attribute, value: object) -> None:
        """A complex attribute with one value: what is given replaces, the rest stays (RFC 7644 section 3.5.2.3)."""
        coerced = coerce(definition, value, path.attribute, self.notes)
        current = self._current(path)
        if not isinstance(value, dict) or not isinstance(current, dict) or not isinstance(coerced, dict | None):
            self._put(path, coerced)
            return
        given = coerced or {}
        if "value" in given and given["value"] != current.get("value") and definition.value_attribute:
            # Another manager: what was known about the former one is no longer true.
            self._put(path, given)
            return
        for name in value:
            current.pop(_name_of(definition, name), None)
        self._put(path, current | given)

    def _assign_list(self, path: PatchPath, definition: Attribute, value: object, *, add: bool) -> None:
        given = None if value is None else coerce_list(definition, value, path.attribute, self.notes)
        if add and value is not None:
            current = self._current(path)
            if given is None:
                return
            elements = _as_list(current)
            chosen = merge_values(elements, given, self._spend)
            if chosen is not None:
                _make_primary(elements, chosen)
            self._put(path, elements)
            return
        keep_one_primary(given, "last")
        self._put(path, given)

    def _assign_sub(self, path: PatchPath, definition: Attribute, value: object) -> None:
        coerced = self._sub_value(path, value)
        current = self._current(path)
        if definition.multi_valued:
            elements: list[Any] = _as_list(current) or ([] if coerced is None else [{}])
            self._spend(len(elements))
            self._set_sub([e for e in elements if isinstance(e, dict)], path, coerced, elements)
            self._settle(path, elements)
            return
        element = current if isinstance(current, dict) else {}
        if path.sub == "value" and element.get("value") != coerced:
            element.clear()
        self._set_sub([element], path, coerced, [element])
        self._put(path, element or None)

    def _assign_selected(self, path: PatchPath, definition: Attribute, value: object, *, add: bool) -> None:
        current = self._current(path)
        chosen = self._selected(path, current)
        if path.sub is None:
            value = one_object(value)
        if not chosen:
            if value is not None and value != "":
                self._create(path, definition, value, add=add)
            return
        elements = _as_list(current)
        if path.sub is not None:
            self._set_sub(chosen, path, self._sub_value(path, value), elements)
        elif value is None:
            gone = {id(element) for element in chosen}
            elements = [element for element in elements if id(element) not in gone]
        else:
            given = coerce_element(definition, value, path.attribute, self.notes)
            if not isinstance(given, dict):
                raise InvalidValue(f"the value for '{path.attribute}' must be an object")
            for element in chosen:
                if not add and isinstance(value, dict):
                    element.clear()
                    element.update(described_by(path.filter) or {})
                element.update(given)
            if given.get("primary") is True:
                _make_primary(elements, chosen[-1])
        self._settle(path, elements if definition.multi_valued else current)

    def _create(self, path: PatchPath, definition: Attribute, value: object, *, add: bool) -> None:
        described = described_by(path.filter)
        if described is None or not definition.multi_valued or not (add or is_creatable(definition, described)):
            raise NoTarget(f"the filter selects no value of '{path.attribute}'")
        if path.sub is None:
            given = coerce_element(definition, value, path.attribute, self.notes)
            element = {**described, **given} if isinstance(given, dict) else described
        else:
            inner = self._sub_value(path, value)
            element = described if inner is None else {**described, path.sub: inner}
        elements = [*_as_list(self._current(path)), element]
        if element.get("primary") is True:
            _make_primary(elements, element)
        self._settle(path, elements)

    def _assign_whole(self, path: PatchPath, value: object, *, add: bool) -> None:
        """A whole extension, or something that no schema defines: kept as sent (row X05)."""
        extension = self.resource_type.find_extension(path.urn) if path.urn and not path.attribute else None
        if extension is not None:
            self._assign_extension(path, extension.schema, one_object(value), add=add)
            return
        kept = without_nulls(value)
        self.notes.append(Diagnostic(str(path.attribute or path.urn)[:200], "unknown attribute"))
        current = self._current(path)
        if path.filter is not None:
            self._assign_unknown(path, kept, current)
        elif path.sub is not None:
            holder = current if isinstance(current, dict) else {}
            _set(holder, path.sub, kept)
            self._put(path, holder or None)
        elif add and isinstance(current, list) and isinstance(kept, list):
            merge_values(current, kept, self._spend)
        else:
            self._put(path, kept)

    def _assign_unknown(self, path: PatchPath, kept: Any, current: Any) -> None:
        """Values that a filter selects where no schema says what they hold; the first of its kind is made."""
        chosen = self._selected(path, current)
        described = None if chosen or kept is None else described_by(path.filter)
        if described is not None:
            chosen = [described]
            self._put(path, [*_as_list(current), described])
        for element in chosen:
            if path.sub is not None:
                _set(element, path.sub, kept)
            elif isinstance(kept, dict):
                element.update(kept)

    def _assign_extension(self, path: PatchPath, schema: Schema, value: object, *, add: bool) -> None:
        if value is None:
            self._put(path, None)
        elif not isinstance(value, dict):
            self.notes.append(Diagnostic(schema.id, "an object is expected; ignored"))
        else:
            for name, inner in value.items():
                definition = schema.find(name)
                known = definition is not None
                at = PatchPath(schema.id, definition.name if definition else name, None, None, known, definition)
                self.assign(at, inner, add=add)

    def _sub_value(self, path: PatchPath, value: object) -> Any:
        if path.sub_definition is None:
            return without_nulls(value)
        return coerce(path.sub_definition, value, f"{path.attribute}.{path.sub}", self.notes)

    def _set_sub(self, chosen: list[dict[str, Any]], path: PatchPath, value: Any, elements: list[Any]) -> None:
        for element in chosen:
            _set(element, path.sub or "", value)
        if path.sub == "primary" and value is True and chosen:
            _make_primary(elements, chosen[-1])

    def _settle(self, path: PatchPath, value: Any) -> None:
        """Store the value without what the edit left empty."""
        if isinstance(value, list):
            value = [element for element in value if not is_shell(element)]
        self._put(path, value or None)

    def _selected(self, path: PatchPath, current: object) -> list[dict[str, Any]]:
        elements = [element for element in _as_list(current) if isinstance(element, dict)]
        if path.filter is None:
            self._spend(len(elements))
            return elements
        self._spend(sum([_weight(element) for element in elements]) * size(path.filter))
        return list(filter(value_test(path.filter, path.definition), elements))

    def _current(self, path: PatchPath) -> Any:
        """The value at the path's attribute, safe to change in place."""
        self._own(self._top(path))
        holder, name = self._locate(path)
        return holder.get(name) if holder is not None else None

    def _own(self, top: str) -> None:
        if top not in self._owned:
            self._owned.add(top)
            if top in self.document:
                self.document[top] = without_nulls(self.document[top])

    def _top(self, path: PatchPath) -> str:
        """The key of the document that holds the path's attribute: the attribute itself or its extension."""
        if path.urn is not None:
            return self._spelling("", self.document, path.urn)
        return path.attribute if path.definition else self._spelling("", self.document, path.attribute)

    def _locate(self, path: PatchPath) -> tuple[dict[str, Any] | None, str]:
        top = self._top(path)
        if path.urn is None or not path.attribute:
            return self.document, top
        holder = self.document.get(top)
        if not isinstance(holder, dict):
            return None, path.attribute
        return holder, path.attribute if path.definition else self._spelling(top, holder, path.attribute)

    def _spelling(self, top: str, holder: Mapping[str, Any], name: str) -> str:
        """The spelling that the holder already has of a name that no schema defines; searched once per request."""
        if name in holder:
            return name
        key = (top, name.lower())
        if key not in self._spellings:
            self._spend(len(holder))
            self._spellings[key] = next((known for known in holder if known.lower() == key[1]), name)
        return self._spellings[key]

    def _put(self, path: PatchPath, value: Any) -> None:
        if path.urn is not None:
            self._own(self._top(path))
        holder, name = self._locate(path)
        empty = value is None or (isinstance(value, list | dict) and not value)
        if holder is None:
            if empty:
                return
            holder = self.document[self._top(path)] = {}
        if not empty:
            holder[name] = value
            return
        holder.pop(name, None)
        if not holder and holder is not self.document:
            self.document.pop(self._top(path), None)

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_PATCH_WORK:
            raise TooMany("the operations compare too many values; send fewer in one request")


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _weight(element: dict[str, Any]) -> int:
    """The work of comparing one of the element's values, whichever it is."""
    weight = 1
    for value in element.values():
        if type(value) is str:
            weight += work_of_text(value)
        elif type(value) is list:
            weight += len(value) + sum([work_of_text(inner) for inner in value if type(inner) is str])
    return weight


def _set(element: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        element.pop(name, None)
    else:
        element[name] = value


def _make_primary(elements: list[Any], chosen: object) -> None:
    """Row X04: the value set last is the primary one."""
    for element in elements:
        if isinstance(element, dict) and element is not chosen and element.get("primary") is True:
            element["primary"] = False


def _name_of(definition: Attribute, name: str) -> str:
    sub = definition.find(name)
    return sub.name if sub else name
