"""Values of recordings: references in them replaced, and compared with what came."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_NAME = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def expand(value: Any, names: Mapping[str, str]) -> Any:
    """`${name}` in every string replaced, innermost first, and `$repeat` elements of lists written out."""
    if isinstance(value, str):
        return _expand_text(value, names)
    if isinstance(value, list):
        return list(_expand_elements(value, names))
    if isinstance(value, dict):
        return {key: expand(inner, names) for key, inner in value.items()}
    return value


def _expand_text(text: str, names: Mapping[str, str]) -> str:
    while "${" in text:
        replaced = _NAME.sub(lambda found: names.get(found[1], found[0]), text)
        assert replaced != text, f"{text} refers to something that was not captured"
        text = replaced
    return text


def _expand_elements(elements: Iterable[Any], names: Mapping[str, str]) -> Iterator[Any]:
    for element in elements:
        if isinstance(element, dict) and "$repeat" in element:
            for number in range(1, element["$repeat"] + 1):
                yield expand(element["$item"], {**names, "i": str(number)})
        else:
            yield expand(element, names)


def faults(expected: Any, actual: Any, names: dict[str, str], where: str = "") -> list[str]:
    """Where `actual` is not what was expected. Objects may hold more than expected, lists may not."""
    if isinstance(expected, dict) and any(key.startswith("$") and key in _MATCHERS for key in expected):
        return _matcher_faults(expected, actual, names, where)
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{where}: expected an object, found {_short(actual)}"]
        return [
            fault
            for key, inner in expected.items()
            for fault in faults(inner, actual.get(key, NOTHING), names, f"{where}.{key}")
        ]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [f"{where}: expected {len(expected)} elements, found {_short(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [fault for index, pair in pairs for fault in faults(*pair, names, f"{where}[{index}]")]
    if isinstance(expected, str):
        expected = _expand_text(expected, names)
    if type(expected) is not type(actual) or expected != actual:
        return [f"{where}: expected {expected!r}, found {_short(actual)}"]
    return []


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
_MATCHERS = {"$any", "$absent", "$capture", "$length", "$regex", "$contains", "$unordered", "$keys"}


def _matcher_faults(expected: dict[str, Any], actual: Any, names: dict[str, str], where: str) -> list[str]:
    if "$absent" in expected:
        return [] if actual is NOTHING else [f"{where}: expected nothing, found {_short(actual)}"]
    if actual is NOTHING or actual is None:
        return [f"{where}: missing"]
    found: list[str] = []
    if "$capture" in expected:
        if not isinstance(actual, str) or not actual:
            return [f"{where}: expected text to capture, found {_short(actual)}"]
        names[_expand_text(expected["$capture"], names)] = actual
    if "$length" in expected and (not isinstance(actual, list) or len(actual) != expected["$length"]):
        found.append(f"{where}: expected {expected['$length']} elements, found {_short(actual)}")
    if "$regex" in expected and not (isinstance(actual, str) and re.fullmatch(expected["$regex"], actual)):
        found.append(f"{where}: expected /{expected['$regex']}/, found {_short(actual)}")
    if "$keys" in expected and (not isinstance(actual, dict) or sorted(actual) != sorted(expected["$keys"])):
        found.append(f"{where}: expected exactly {expected['$keys']}, found {_short(actual)}")
    for key in ("$contains", "$unordered"):
        if key in expected:
            found += _element_faults(expected[key], actual, names, where, whole=key == "$unordered")
    rest = {key: inner for key, inner in expected.items() if key not in _MATCHERS}
    return found + (faults(rest, actual, names, where) if rest else [])


def _element_faults(wanted: list[Any], actual: Any, names: dict[str, str], where: str, *, whole: bool) -> list[str]:
    if not isinstance(actual, list) or (whole and len(actual) != len(wanted)):
        return [f"{where}: expected {len(wanted)} elements, found {_short(actual)}"]
    left = list(actual)
    for one in wanted:
        match = next((element for element in left if not faults(one, element, dict(names))), NOTHING)
        if match is NOTHING:
            return [f"{where}: no element like {one!r} in {_short(left)}"]
        faults(one, match, names)
        left.remove(match)
    return []


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}… ({len(text)} characters)"
