"""Protobuf by concatenation: fields put together as bytes, where building messages would cost too much."""


def _leb128(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


# Most lengths are short.
_SHORT = [_leb128(number) for number in range(0x800)]


def varint(value: int) -> bytes:
    """A number that is not negative, as LEB128."""
    return _SHORT[value] if value < len(_SHORT) else _leb128(value)


def delimited(tag: bytes, payload: bytes) -> bytes:
    """A field of text, bytes or a message. `tag` is its number and wire type 2."""
    return tag + varint(len(payload)) + payload
