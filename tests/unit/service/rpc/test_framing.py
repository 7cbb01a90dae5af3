"""Lengths as protobuf writes them."""

import pytest
from google.protobuf.internal import encoder

from service.rpc.framing import delimited, varint


@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0x3FFF, 0x4000, 10**6, 2**63])
def test_numbers_are_written_as_protobuf_writes_them(value: int) -> None:
    expected = bytearray()
    encoder._EncodeVarint(expected.extend, value)  # type: ignore[attr-defined]
    assert varint(value) == bytes(expected)


def test_a_field_is_its_tag_its_length_and_what_is_in_it() -> None:
    assert delimited(b"\x0a", b"x" * 300) == b"\x0a\xac\x02" + b"x" * 300
