"""Errors of the service in this API's own words."""

import json

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.problems import problem
from gateway.rest.errors import rest_answer


def test_both_ends_of_a_range_are_called_as_in_the_query() -> None:
    failure = problem(
        ErrorReason.ERROR_REASON_ARGUMENT_INVALID, "end_time lies before start_time", metadata={"field": "end_time"}
    )
    answer = rest_answer(failure, "req_1")
    body = json.loads(answer.body)
    assert (answer.status, body["message"]) == (422, "range_end lies before range_start.")
    assert [error["field"] for error in body["errors"]] == ["range_end"]
