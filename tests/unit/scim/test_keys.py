import pytest

from service.scim.dialects import dialect_for
from service.scim.keys import email_key, group_key, user_key


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
