"""Query parameters and SearchRequest bodies."""

import pytest

from gateway.problems import Problem
from gateway.scim.queries import Query, parse_query, parse_search


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (b"", Query()),
        (b"&&=", Query()),
        (b"aadOptscim062020&unknown=%zz&count=3", Query(count=3)),
        (b"FILTER=a+eq+1", Query(filter="a eq 1")),
        (b"filter=a%20eq%201", Query(filter="a eq 1")),
        (b"filter=userName%20eq%20%22a%2Bb%26c%23%2525%22", Query(filter='userName eq "a+b&c#%25"')),
        (b'filter=userName eq "ada@example.com"', Query(filter='userName eq "ada@example.com"')),
        ("filter=displayName eq Köln".encode(), Query(filter="displayName eq Köln")),
        (b"filter=displayName+eq+%22K%C3%B6ln%22", Query(filter='displayName eq "Köln"')),
        (b"filter=a=b", Query(filter="a=b")),
        (b"filter=", Query()),
        (b"sortBy=userName&sortOrder=Descending", Query(sort_by="userName", sort_descending=True)),
        (b"sortby=userName&sortorder=ascending", Query(sort_by="userName")),
        (b"sortBy=userName&sortOrder=desc", Query(sort_by="userName", sort_descending=True)),
        (b"startIndex=2.0&count=10.", Query(start_index=2, count=10)),
        (b"startIndex=0&count=-1", Query(start_index=0, count=-1)),
        (b"startindex=%207&COUNT=+2", Query(start_index=7, count=2)),
        (b"count=", Query()),
        (b"count=" + b"9" * 5000, Query(count=2**31 - 1)),
        (b"count=-99999999999", Query(count=-(2**31) + 1)),
        (b"attributes=userName,%20name.givenName,", Query(attributes=("userName", "name.givenName"))),
        (b"attributes=a&attributes=b,c", Query(attributes=("a", "b", "c"))),
        (b"excludedAttributes=members", Query(excluded_attributes=("members",))),
        (b"cursor", Query(cursor="")),
        (b"cursor=&count=2", Query(cursor="", count=2)),
        (b"count=2&cursor=aB-_9&startIndex=3", Query(cursor="aB-_9", count=2, start_index=3)),
    ],
)
def test_parameters(text: bytes, query: Query) -> None:
    assert parse_query(text) == query


@pytest.mark.parametrize("text", [b"cursor&count=ten", b"count=1.5&cursor=", b"count=x&cursor=abc"])
def test_a_count_that_cannot_be_used_with_a_cursor(text: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_query(text)
    assert (caught.value.rule.status, caught.value.rule.scim_type) == (400, "invalidCount")


def test_a_search_request_may_hold_a_cursor() -> None:
    assert parse_search('{"count": 2.0, "cursor": ""}') == Query(cursor="", count=2)
    for body, scim_type in (('{"cursor": 7}', "invalidCursor"), ('{"count": "x", "cursor": ""}', "invalidCount")):
        with pytest.raises(Problem) as caught:
            parse_search(body)
        assert caught.value.rule.scim_type == scim_type


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"count=ten", "count"),
        (b"count=1.5", "count"),
        (b"count=1_0", "count"),
        ("count=\uff11".encode(), "count"),
        (b"startIndex=0x1", "startIndex"),
        (b"sortOrder=upwards", "sortOrder"),
        (b"filter=%E9", "filter"),
        (b"filter=a&filter=b", "filter"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(text: bytes, named: str) -> None:
    with pytest.raises(Problem, match=named) as caught:
        parse_query(text)
    assert (caught.value.rule.status, caught.value.rule.scim_type) == (400, "invalidValue")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("{}", Query()),
        ('{"schemas":[],"filter":null,"count":null,"extra":{"a":[1]}}', Query()),
        ('{"FILTER":" id pr ","startIndex":2,"count":0}', Query(filter="id pr", start_index=2, count=0)),
        ('{"count":"5","sortBy":"id","sortOrder":"descending"}', Query(count=5, sort_by="id", sort_descending=True)),
        (
            '{"attributes":["a"," b "],"excludedAttributes":"c,d"}',
            Query(attributes=("a", "b"), excluded_attributes=("c", "d")),
        ),
        ('{"count":99999999999}', Query(count=2**31 - 1)),
    ],
)
def test_search_requests(text: str, query: Query) -> None:
    assert parse_search(text) == query


@pytest.mark.parametrize(
    ("text", "scim_type"),
    [
        ("nope", "invalidSyntax"),
        ("[]", "invalidSyntax"),
        ('"x"', "invalidSyntax"),
        ("[" * 100_000, "invalidSyntax"),
        ('{"a":' * 100_000, "invalidSyntax"),
        ('{"filter":1}', "invalidValue"),
        ('{"filter":["a"]}', "invalidValue"),
        ('{"count":1.5}', "invalidValue"),
        ('{"count":true}', "invalidValue"),
        ('{"count":{}}', "invalidValue"),
        ('{"attributes":[1]}', "invalidValue"),
        ('{"attributes":{"a":1}}', "invalidValue"),
        ('{"sortOrder":"down"}', "invalidValue"),
    ],
)
def test_a_search_request_that_cannot_be_used(text: str, scim_type: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_search(text)
    assert (caught.value.rule.status, caught.value.rule.scim_type) == (400, scim_type)
