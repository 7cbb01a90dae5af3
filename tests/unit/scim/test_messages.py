import json
from typing import Any

import pytest

from service.scim.errors import InvalidCount, InvalidPath, InvalidSyntax, InvalidValue, ScimError, TooLarge, TooMany
from service.scim.messages import (
    MAX_OPERATIONS,
    BulkOperation,
    Operation,
    SearchRequest,
    parse_bulk,
    parse_patch,
    parse_search,
)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        pytest.param(
            {"op": "Replace", "path": "a", "value": 1}, Operation("replace", "a", 1, has_value=True), id="E01"
        ),
        pytest.param({"OP": "add", "Value": {"a": 1}}, Operation("add", None, {"a": 1}, has_value=True), id="key-case"),
        pytest.param({"op": "remove", "path": "members"}, Operation("remove", "members"), id="Y02"),
        pytest.param(
            {"op": "replace", "path": "a", "value": None}, Operation("replace", "a", None, has_value=True), id="null"
        ),
        pytest.param(
            {"op": "add", "path": " ", "value": 1}, Operation("add", None, 1, has_value=True), id="blank-path"
        ),
        pytest.param({"op": " Remove ", "path": "a"}, Operation("remove", "a"), id="blanks-around-op"),
    ],
)
def test_operations_are_read(sent: dict[str, Any], read: Operation) -> None:
    assert parse_patch(sent) == (read,)
    assert parse_patch([sent]) == (read,)
    assert parse_patch({"Operations": json.dumps([sent])}) == (read,)
    assert parse_patch({"schemas": ["x"], "Operations": [sent]}) == (read,)
    assert parse_patch({"operations": [sent]}) == (read,)
    assert parse_patch({"OPERATIONS": sent}) == (read,)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, InvalidSyntax),
        ([], InvalidSyntax),
        ({}, InvalidSyntax),
        ({"Operations": []}, InvalidSyntax),
        ({"Operations": "x"}, InvalidSyntax),
        ({"Operations": ["x"]}, InvalidSyntax),
        ({"Operations": [{"path": "a"}]}, InvalidSyntax),
        ({"Operations": [{"op": "move"}]}, InvalidSyntax),
        ({"Operations": [{"op": 1}]}, InvalidSyntax),
        ({"Operations": [{"op": "add", "path": 1}]}, InvalidPath),
        ({"Operations": [{"op": "add", "value": "a\0"}]}, InvalidValue),
        ({"Operations": [{"op": "add", "value": {1: 2}}]}, InvalidSyntax),
        ({"Operations": [{"op": "add", "value": {"a": ["\ud800"]}}]}, InvalidValue),
        ({"schemas": ["urn:scim:schemas:core:1.0"], "id": "48e0", "active": False}, InvalidSyntax),
    ],
)
def test_malformed_patches_are_refused(body: object, error: type[ScimError]) -> None:
    with pytest.raises(error):
        parse_patch(body)


def test_k03_thousands_of_operations_have_a_ceiling() -> None:
    operation = {"op": "add", "path": "members", "value": [{"value": "u1"}]}
    assert len(parse_patch({"Operations": [operation] * MAX_OPERATIONS})) == MAX_OPERATIONS >= 1000
    with pytest.raises(TooMany):
        parse_patch({"Operations": [operation] * (MAX_OPERATIONS + 1)})


def test_the_search_of_the_rfc() -> None:
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", "userName"],
        "filter": 'displayName sw "smith"',
        "startIndex": 1,
        "count": 10,
    }
    assert parse_search(body) == SearchRequest(("displayName", "userName"), None, 'displayName sw "smith"', count=10)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({}, SearchRequest()),
        ({"attributes": "a, b,,c", "excludedAttributes": ["d,e"]}, SearchRequest(("a", "b", "c"), ("d", "e"))),
        ({"startIndex": "0", "count": "-5"}, SearchRequest(start_index=1, count=0)),
        ({"startIndex": -3, "count": 0}, SearchRequest(start_index=1, count=0)),
        ({"startIndex": 10**30}, SearchRequest(start_index=2**31 - 1)),
        ({"SORTBY": "userName", "sortorder": "Descending"}, SearchRequest(sort_by="userName", sort_order="descending")),
        ({"cursor": "", "count": "2"}, SearchRequest(cursor="", count=2)),
        ({"filter": "", "attributes": "", "count": ""}, SearchRequest()),
    ],
)
def test_searches_are_read(body: dict[str, Any], read: SearchRequest) -> None:
    assert parse_search(body) == read


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], InvalidSyntax),
        ({"filter": 1}, InvalidSyntax),
        ({"attributes": [1]}, InvalidSyntax),
        ({"count": "many"}, InvalidValue),
        ({"count": True}, InvalidValue),
        ({"count": 1.5}, InvalidValue),
        ({"startIndex": "9" * 5000}, InvalidValue),
        ({"sortOrder": "sideways"}, InvalidValue),
        ({"cursor": "x", "count": "many"}, InvalidCount),
    ],
)
def test_malformed_searches_are_refused(body: object, error: type[ScimError]) -> None:
    with pytest.raises(error):
        parse_search(body)


def test_bulk_requests_are_read() -> None:
    body = {
        "failOnErrors": 1,
        "Operations": [
            {"method": "post", "path": "/Users", "bulkId": "q", "data": {"userName": "a"}},
            {"method": "DELETE", "path": "/Users/1", "version": 'W/"1"'},
        ],
    }
    request = parse_bulk(body)
    assert request.fail_on_errors == 1
    assert request.operations == (
        BulkOperation("POST", "/Users", "q", None, {"userName": "a"}),
        BulkOperation("DELETE", "/Users/1", None, 'W/"1"'),
    )
    assert parse_bulk({"operations": body["Operations"]}).fail_on_errors is None


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"method": "GET", "path": "/Users"},
        {"method": "POST", "bulkId": "q"},
        {"method": "POST", "path": "/Users"},
        7,
    ],
)
def test_malformed_bulk_operations_are_refused(operation: object) -> None:
    with pytest.raises(InvalidSyntax):
        parse_bulk({"Operations": [operation]})


@pytest.mark.parametrize("operations", [None, [], "x", {}])
def test_a_bulk_request_needs_operations(operations: object) -> None:
    with pytest.raises(InvalidSyntax):
        parse_bulk({"Operations": operations})


def test_a_bulk_request_beyond_its_ceiling_is_too_large() -> None:
    operation = {"method": "DELETE", "path": "/Users/1"}
    assert len(parse_bulk({"Operations": [operation] * 3}, max_operations=3).operations) == 3
    with pytest.raises(TooLarge):
        parse_bulk({"Operations": [operation] * 4}, max_operations=3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sortOrder": "desc"}, SearchRequest(sort_order="descending")),
        ({"sortOrder": "ASC"}, SearchRequest()),
        ({"startIndex": 2.0, "count": 10.0}, SearchRequest(start_index=2, count=10)),
    ],
)
def test_other_ways_to_write_a_search(body: dict[str, Any], expected: SearchRequest) -> None:
    assert parse_search(body) == expected


def test_a_bulk_request_of_one_operation_needs_no_list() -> None:
    operation = {"method": "DELETE", "path": "/Users/1"}
    expected = (BulkOperation("DELETE", "/Users/1"),)
    assert parse_bulk({"Operations": operation}).operations == expected
    assert parse_bulk(operation).operations == expected
