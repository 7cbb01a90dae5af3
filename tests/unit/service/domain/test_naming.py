import pytest

from service.domain.errors import ArgumentError
from service.domain.naming import check_external_id, check_name, check_provider


@pytest.mark.parametrize("name", ["a", "Müller & Söhne", "株式会社", "x" * 256, " padded ", 'O\'Neil "q"'])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "x" * 257, "a\nb", "a\0", "\x7f", "a\x85b"])
def test_no_names(name: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        check_name(name)
    assert refused.value.metadata == {"field": "name"}


@pytest.mark.parametrize(("provider", "stored"), [("", "generic"), ("okta", "okta"), ("sap-ias-2", "sap-ias-2")])
def test_providers(provider: str, stored: str) -> None:
    assert check_provider(provider) == stored


@pytest.mark.parametrize("provider", ["Okta", "a b", "a_b", "a" * 65, "ä", "okta\n"])
def test_no_providers(provider: str) -> None:
    with pytest.raises(ArgumentError):
        check_provider(provider)


def test_an_empty_external_id_is_none() -> None:
    assert check_external_id("") is None
    assert check_external_id("cus_1") == "cus_1"
