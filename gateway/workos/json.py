"""JSON whose bytes are those of JavaScript's `JSON.stringify(JSON.parse(bytes))` (ECMA-262 25.5).

The Node SDK checks a webhook's signature over what it has parsed and written again, so every byte counts. msgspec
writes texts, whole numbers up to 2^53, booleans and null as JavaScript does. Documents of others may hold more, so each
is looked through, and written the long way if need be.
"""

import json
import math
from json.encoder import encode_basestring
from typing import Any, Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode

_LARGEST_INDEX: Final = 2**32 - 2
_EXACT: Final = 2**53
_SHORT: Final = 15
_PLAIN: Final = frozenset({str, bool, type(None)})


def parse(text: str) -> Any:
    """JSON text as JavaScript reads it: numbers too large for an exact integer are doubles. Raises ValueError."""
    return json.loads(text, parse_int=_integer, parse_constant=_constant)


def parse_object(text: str) -> dict[str, Any]:
    """A JSON object; whatever else the text is counts as an empty one. Raises ValueError."""
    value = parse(text) if text else {}
    return value if isinstance(value, dict) else {}


def document(text: str) -> Any:
    """A JSON object, to be part of what `encode` writes. What is no object becomes an empty one. Raises ValueError for
    what is no JSON.
    """
    try:
        value = _decode(text) if text else {}
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return msgspec.Raw(stringify(parse_object(text)))
    if type(value) is not dict:
        return {}
    return value if _is_plain(value) else msgspec.Raw(stringify(parse_object(text)))


def stringify(value: Any) -> bytes:
    """Dicts with text keys, lists, text, numbers, booleans and None as UTF-8, whatever they hold."""
    parts: list[str] = []
    _write(value, parts.append)
    # What UTF-8 cannot hold are lone surrogates, which JSON.stringify escapes in just this form.
    return "".join(parts).encode("utf-8", "backslashreplace")


def number(value: float) -> str:
    """A double as Number::toString writes it (ECMA-262 6.1.6.1.20); what is not finite is `null`."""
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    return ("-" if value < 0 else "") + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Digits with the decimal point behind the first `point` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{rest}e{point - 1:+d}"


def _is_plain(value: Any) -> bool:
    """Whether msgspec writes this as JavaScript does: no fractions, no key that may be an array index, no integer that
    a double does not hold.
    """
    if type(value) is dict:
        for key, item in value.items():
            if key[:1].isdecimal() or not (type(item) in _PLAIN or _is_plain(item)):
                return False
        return True
    if type(value) is list:
        return all(type(item) in _PLAIN or _is_plain(item) for item in value)
    return type(value) in _PLAIN or (type(value) is int and -_EXACT <= value <= _EXACT)


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _SHORT else float(text)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _write(value: Any, put: Any) -> None:
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, dict):
        _write_object(value, put)
    elif isinstance(value, list):
        _write_array(value, put)
    else:
        put(_number(value))


def _write_object(value: dict[str, Any], put: Any) -> None:
    before = "{"
    for key, item in _in_order(value):
        put(f"{before}{encode_basestring(key)}:")
        _write(item, put)
        before = ","
    put("}" if value else "{}")


def _write_array(value: list[Any], put: Any) -> None:
    before = "["
    for item in value:
        put(before)
        _write(item, put)
        before = ","
    put("]" if value else "[]")


def _in_order(value: dict[str, Any]) -> Any:
    """Members with array indices first, ascending, then the others as they came (ECMA-262 10.1.11.1)."""
    indices = [key for key in value if key[:1].isdecimal() and _is_index(key)]
    if not indices:
        return value.items()
    indices.sort(key=int)
    taken = set(indices)
    return [(key, value[key]) for key in (*indices, *(key for key in value if key not in taken))]


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) <= 10 and str(int(key)) == key and int(key) <= _LARGEST_INDEX


def _number(value: float) -> str:
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return str(value)
    try:
        return number(float(value))
    except OverflowError:
        return "null"
