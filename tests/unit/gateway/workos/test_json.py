"""Bytes as JavaScript writes them."""

import json as standard
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.workos import json
from tests.unit.gateway.workos.node import NODE, Node, running_node

# Each was printed by node.
NUMBERS = [
    ("0", "0"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("1.0", "1"),
    ("1.50", "1.5"),
    ("-12.25", "-12.25"),
    ("100", "100"),
    ("123456789012345", "123456789012345"),
    ("9007199254740993", "9007199254740992"),
    ("-9007199254740993", "-9007199254740992"),
    ("12345678901234567890", "12345678901234567000"),
    ("100000000000000000000", "100000000000000000000"),
    ("999999999999999999999", "1e+21"),
    ("1e21", "1e+21"),
    ("1.5e300", "1.5e+300"),
    ("0.000001", "0.000001"),
    ("0.0000015", "0.0000015"),
    ("1e-7", "1e-7"),
    ("1.25e-7", "1.25e-7"),
    ("5e-324", "5e-324"),
    ("1e400", "null"),
    ("-1e400", "null"),
    ("1" + "0" * 400, "null"),
    ("0.1", "0.1"),
    ("1E2", "100"),
    ("123.456e-2", "1.23456"),
]
TEXTS = [
    ('"\\u0000\\u001f\\u007f"', b'"\\u0000\\u001f\x7f"'),
    ('"\\b\\f\\n\\r\\t\\"\\\\\\/"', b'"\\b\\f\\n\\r\\t\\"\\\\/"'),
    ('"\\u2028\\u00e9\\ud83d\\ude00<&>"', "\"\u2028é😀<&>\"".encode()),
    ('"\\uD800"', b'"\\ud800"'),
    ('"\\udeadx"', b'"\\udeadx"'),
    (' { "b" : [ 1 , { } , [ ] ] , "a" : null } ', b'{"b":[1,{},[]],"a":null}'),
    ('{"b":1,"10":2,"9":3,"01":4,"-1":5,"4294967294":6,"4294967295":7}',
     b'{"9":3,"10":2,"4294967294":6,"b":1,"01":4,"-1":5,"4294967295":7}'),
    ('{"a":1,"b":2,"a":3}', b'{"a":3,"b":2}'),
    ('{"\u0661":1,"1":2}', '{"1":2,"\u0661":1}'.encode()),
    ("true", b"true"),
    ("false", b"false"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "written"), NUMBERS)
def test_numbers_are_doubles_as_javascript_prints_them(text: str, written: str) -> None:
    assert json.stringify(json.parse(text)) == written.encode()


@pytest.mark.parametrize(("text", "written"), TEXTS)
def test_texts_and_keys_are_as_javascript_writes_them(text: str, written: bytes) -> None:
    assert json.stringify(json.parse(text)) == written


def test_integers_of_ours_are_doubles_too() -> None:
    assert json.stringify([2**53, 2**53 + 1, 10**400, float("nan")]) == b"[9007199254740992,9007199254740992,null,null]"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "{", "01", ""])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json.parse(text)


@pytest.mark.parametrize("text", ["", "[]", "null", "3"])
def test_an_object_is_always_an_object(text: str) -> None:
    assert json.parse_object(text) == {}


DOCUMENTS = [
    '{"a":"b","c":[1,-2,true,false,null,{"d":"e"}]}',
    '{"at":"2026-01-02T03:04:05.678Z","name":"Doe, Jane","phone":"+1 555-0100","x":"{ } [ ] : 1.0"}',
    '{"a" :1}',
    '{"a":1 ,"b":2}',
    '{"a": 1}',
    '{ "a":1}',
    '{"a":1 }',
    '{"a":[1, 2]}',
    '{"a":[1 ]}',
    '{"a":[ 1]}',
    '{"a":true }',
    '{"a":null ,"b":false }',
    '{"a":"x" }',
    '{"a":{} }',
    '{"a":1.0}',
    '{"a":[1.0]}',
    '{"a":1e2}',
    '{"a":-0}',
    '{"a":[0,-0]}',
    '{"a":9007199254740993}',
    '{"10":1,"9":2}',
    '{"x":1,"9":2}',
    '{"a":"\\u00e9"}',
    '{"a":"\\/"}',
    "{}",
    "{ }",
    "[1]",
    "",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_a_document_is_written_as_javascript_would(text: str) -> None:
    assert json.encode(json.document(text)) == json.stringify(json.parse_object(text))


@pytest.mark.parametrize("text", DOCUMENTS[:2])
def test_what_providers_send_is_mostly_passed_on_as_it_is(text: str) -> None:
    assert json.encode(json.document(text)) == text.encode()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_node() as running:
        yield running


_KEYS = st.text(max_size=6) | st.integers(-2, 2**33).map(str) | st.sampled_from(["__proto__", "00", "toJSON", "1e3"])
_NUMBERS = st.floats(allow_nan=False) | st.integers() | st.floats(-1e-4, 1e-4) | st.integers(-(2**70), 2**70)
_LEAVES = st.none() | st.booleans() | _NUMBERS | st.text(st.characters(codec=None), max_size=12)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6), max_leaves=25
)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@settings(max_examples=600, deadline=None)
@given(value=_VALUES)
def test_node_writes_the_same_again(node: Node, value: Any) -> None:
    written = json.stringify(value)
    assert node.written_again(written) == written


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@settings(max_examples=600, deadline=None)
@given(value=_VALUES, ascii_only=st.booleans())
def test_node_reads_other_json_alike(node: Node, value: Any, ascii_only: bool) -> None:
    text = standard.dumps(value, ensure_ascii=ascii_only)
    if "Infinity" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return
    assert node.written_again(text.encode()) == json.stringify(json.parse(text))


@settings(max_examples=1_500, deadline=None)
@given(value=st.dictionaries(_KEYS, _VALUES, max_size=4), compact=st.booleans(), ascii_only=st.booleans())
def test_any_document_is_written_as_javascript_would(value: Any, compact: bool, ascii_only: bool) -> None:
    separators = (",", ":") if compact else None
    text = standard.dumps(value, ensure_ascii=ascii_only, separators=separators)
    if "Infinity" not in text:
        assert json.encode(json.document(text)) == json.stringify(json.parse_object(text))


@settings(max_examples=600, deadline=None)
@given(value=st.text(max_size=30) | st.integers(-(2**53), 2**53) | st.booleans() | st.none())
def test_msgspec_writes_what_is_ours_as_javascript_does(value: Any) -> None:
    assert json.encode({"a": value}) == json.stringify({"a": value})
