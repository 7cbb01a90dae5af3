import pytest

from service.scim import errors


@pytest.mark.parametrize(
    ("name", "status", "scim_type"),
    [
        ("InvalidFilter", 400, "invalidFilter"),
        ("TooMany", 400, "tooMany"),
        ("Uniqueness", 409, "uniqueness"),
        ("Mutability", 400, "mutability"),
        ("InvalidSyntax", 400, "invalidSyntax"),
        ("InvalidPath", 400, "invalidPath"),
        ("NoTarget", 400, "noTarget"),
        ("InvalidValue", 400, "invalidValue"),
        ("InvalidVersion", 400, "invalidVers"),
        ("Sensitive", 403, "sensitive"),
        ("TooLarge", 413, None),
        ("InvalidCursor", 400, "invalidCursor"),
        ("ExpiredCursor", 400, "expiredCursor"),
        ("InvalidCount", 400, "invalidCount"),
    ],
)
def test_every_error_has_the_status_and_type_of_its_rfc(name: str, status: int, scim_type: str | None) -> None:
    error = getattr(errors, name)
    assert (error.status, error.scim_type) == (status, scim_type)
    assert error in errors.SCIM_ERRORS
    assert error.rfc.startswith("RFC ")
    assert str(error("what is wrong")) == error("what is wrong").detail == "what is wrong"


def test_the_table_is_complete() -> None:
    assert set(errors.SCIM_ERRORS) == set(errors.ScimError.__subclasses__())
