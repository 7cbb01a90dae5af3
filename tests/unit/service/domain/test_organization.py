"""What may be a domain of an organization, and a note on one."""

import pytest

from service.domain.errors import ArgumentError
from service.domain.organization import check_domain, check_domains, with_metadata


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com.", "example.com"),
        ("a-b.co.uk", "a-b.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("4chan.org", "4chan.org"),
        (".".join(["a" * 63] * 3) + "." + "b" * 61, ".".join(["a" * 63] * 3) + "." + "b" * 61),
    ],
)
def test_a_domain_is_stored_as_it_stands_in_dns(given: str, stored: str) -> None:
    assert check_domain(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        "", ".", "com", "localhost", "a..b", ".example.com", "example.com..", "-a.com", "a-.com", "a_b.com", "a b.com",
        "example.com/x", "ada@example.com", "https://example.com", "*.example.com", "192.0.2.1", "a.b:80", "a\0.com",
        "a" * 64 + ".com", "a." * 127 + "com", "x" * 10_000 + ".com", "straße.de", "a\u200db.com",
    ],
)  # fmt: skip
def test_what_is_no_domain(given: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        check_domain(given)
    assert refused.value.metadata == {"field": "domains"}
    assert len(refused.value.detail) < 400


def test_domains_are_few_and_different() -> None:
    assert check_domains([("a.com", True), ("b.com", False)]) == {"a.com": True, "b.com": False}
    for domains in ([("a.com", True), ("A.com", True)], [(f"d{n}.com", False) for n in range(101)]):
        with pytest.raises(ArgumentError):
            check_domains(domains)


def test_metadata_is_set_key_by_key() -> None:
    before = {"plan": "pro", "tier": "1"}
    assert with_metadata(before, {"tier": "", "region": "eu", "none": ""}) == {"plan": "pro", "region": "eu"}
    assert with_metadata(before, {}) == before


@pytest.mark.parametrize(
    "changes",
    [{"": "x"}, {"k" * 41: "x"}, {"k": "v" * 601}, {"k\0": "v"}, {"k": "\0"}, {f"k{n}": "v" for n in range(50)}],
)
def test_ceilings_of_metadata(changes: dict[str, str]) -> None:
    with pytest.raises(ArgumentError) as refused:
        with_metadata({"plan": "pro"}, changes)
    assert refused.value.metadata == {"field": "metadata"}


def test_ceilings_of_metadata_can_be_reached() -> None:
    full = {f"{n:>040}": "v" * 600 for n in range(50)}
    assert with_metadata({}, full) == full
    assert with_metadata(full, {f"{0:>040}": "", "new": "v"}).keys() == {*full, "new"} - {f"{0:>040}"}
