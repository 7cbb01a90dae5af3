import pytest

from service.domain.diagnostic import MAX_LENGTH, DiagnosticKind
from service.scim.documents import Diagnostic


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("emails", "emails"),
        ("members[17]", "members"),
        ("emails[2].value", "emails.value"),
        ('emails[value eq "ada@x.org"].type', 'emails[value eq "…"].type'),
        (r'emails[value eq "a\"da@x.org"]', 'emails[value eq "…"]'),
        ('emails[value eq "ada@x.org', 'emails[value eq "…"'),
        ("x" * 300, "x" * MAX_LENGTH),
    ],
)
def test_a_kind_holds_no_value_and_no_place(path: str, kept: str) -> None:
    kind = DiagnosticKind.of("directory_1", "User", Diagnostic(path, "r" * 300))
    assert (kind.path, kind.reason) == (kept, "r" * MAX_LENGTH)
