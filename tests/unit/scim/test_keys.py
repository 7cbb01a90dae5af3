from unicodedata import combining, normalize

import pytest

from service.scim.dialects import dialect_for
from service.scim.documents import decode
from service.scim.errors import InvalidFilter, InvalidValue
from service.scim.filters import parse_filter
from service.scim.keys import email_key, group_key, user_key
from service.scim.limits import MAX_MARKS, check_string, has_too_many_marks
from service.scim.schema import USER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Contoso.COM", "ada@contoso.com"),
        ("Straße", "STRASSE"),
        ("Köln", "Ko\u0308ln"),
        ("\ufb01n", "FIN"),
        ("ΟΔΟΣ", "οδος"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    for key in (user_key, email_key, group_key):
        assert key(one) == key(other)
        assert key(key(one)) == key(one)


@pytest.mark.parametrize(("one", "other"), [("ada", "ada "), ("a.da", "ada"), ("e", "é")])
def test_names_that_differ(one: str, other: str) -> None:
    assert user_key(one) != user_key(other)


@pytest.mark.parametrize(
    ("provider", "unique"),
    [("entra", True), ("Entra", True), ("sap", True), ("authentik", True), ("okta", False), ("nobody", False)],
)
def test_some_providers_need_unique_group_names(provider: str, unique: bool) -> None:
    dialect = dialect_for(provider)
    assert dialect.unique_group_names is unique
    assert dialect.provider == provider.lower()


UNORDERED = "\u0315\u0327"
LONGEST = UNORDERED * (MAX_MARKS // 2)


@pytest.mark.parametrize(
    "text", ["a" + LONGEST, ("a" + LONGEST) * 3, "é" * 1000, "漢字" * 1000, "\U0001f468\u200d" * 500]
)
def test_texts_with_few_marks_in_a_row_are_stored(text: str) -> None:
    check_string(text)


@pytest.mark.parametrize("text", ["a" + LONGEST + "\u0315", LONGEST * 2, "\uff9e\uff9f" * 51, "\u0897\u0315" * 51])
def test_more_marks_in_a_row_than_can_be_put_in_order_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="combining"):
        check_string(text)
    with pytest.raises(InvalidFilter, match="combining"):
        parse_filter(f'displayName co "{text}"', USER)
    with pytest.raises(InvalidValue, match="combining"):
        decode({"userName": "a", "title": text}, USER)


def test_whatever_becomes_marks_counts_as_marks() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    marks = [one for one in characters if all(map(combining, normalize("NFKD", one)))]
    assert len(marks) > 800
    for mark in marks:
        assert has_too_many_marks(mark * (MAX_MARKS + 1))
