"""The error table is complete: each class of failure has a row, each row a published reason."""

import inspect

from directorysync.v1.errors_pb2 import ErrorReason
from service.domain import errors as domain
from service.rpc.status import TABLE, failure_of
from service.scim import errors as scim


def published() -> set[str]:
    return {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118 (a protobuf enum)


def test_every_failure_has_a_row() -> None:
    bases = {domain.DirectorySyncError, scim.ScimError}
    classes = {
        cls
        for module in (domain, scim)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Exception) and cls.__module__ == module.__name__ and cls not in bases
    }
    assert classes - set(TABLE) == set()


def test_every_reason_is_published() -> None:
    assert {reason for _, reason in TABLE.values()} <= published()


def test_every_published_reason_is_reached() -> None:
    made = {reason for _, reason in TABLE.values()} | {"UNSPECIFIED", "INTERNAL"}
    assert published() == made


def test_a_subclass_takes_its_parents_row() -> None:
    class Special(domain.NotFoundError):
        """A failure without a row of its own."""

    failure = failure_of(Special("gone", id="x"))
    assert failure is not None
    assert failure.reason == "RESOURCE_NOT_FOUND"
    assert failure.metadata == {"id": "x"}


def test_the_unexpected_has_no_row() -> None:
    assert failure_of(RuntimeError("secret text")) is None
