"""Protobuf by concatenation: fields put together as bytes, where building messages would cost too much."""

# Most lengths are short: of up to two bytes.
_SHORT = [bytes((number,)) if number < 0x80 else bytes((number & 0x7F | 0x80, number >> 7)) for number in range(0x800)]


def varint(value: int) -> bytes:
    """A number that is not negative, as LEB128."""
    if value < 0x800:
        return _SHORT[value]
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def delimited(tag: bytes, payload: bytes) -> bytes:
    """A field of text, bytes or a message. `tag` is its number and wire type 2."""
    return tag + varint(len(payload)) + payload
