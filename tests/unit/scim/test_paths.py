import pytest

from service.scim.errors import InvalidFilter, InvalidPath
from service.scim.filters import to_text
from service.scim.paths import parse_path
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import GROUP, USER


@pytest.mark.parametrize(
    ("text", "urn", "attribute", "condition", "sub", "known"),
    [
        ("displayName", None, "displayName", None, None, True),
        ("name.familyName", None, "name", None, "familyName", True),
        ('addresses[type eq "work"]', None, "addresses", 'type eq "work"', None, True),
        (
            'members[value eq "x"].displayName',
            None,
            "members",
            'value eq "x"',
            "displayName",
            False,
        ),
        ('emails[type eq "work"].value', None, "emails", 'type eq "work"', "value", True),
        pytest.param(f"{ENT}:department", ENT, "department", None, None, True, id="E03"),
        pytest.param(f"{ENT}:manager.value", ENT, "manager", None, "value", True, id="E03-sub"),
        pytest.param(f"{ENT.lower()}:Manager", ENT, "manager", None, None, True, id="bug-14"),
        pytest.param("manager", ENT, "manager", None, None, True, id="E09"),
        pytest.param("Name.GivenName", None, "name", None, "givenName", True, id="X08"),
        pytest.param('EMAILS[Type eq "Work"].Value', None, "emails", 'type eq "Work"', "value", True, id="X08-filter"),
        pytest.param("shoeSize", None, "shoeSize", None, None, False, id="X05"),
        pytest.param("shoe.Size", None, "shoe", None, "Size", False, id="X05-sub"),
        pytest.param("name.nick", None, "name", None, "nick", False, id="X05-known-parent"),
        pytest.param("urn:x:y:z", "urn:x:y", "z", None, None, False, id="unknown-urn"),
        pytest.param("urn:okta:custom:group:1.0", "urn:okta:custom:group:1.0", "", None, None, False, id="O15"),
        pytest.param(ENT, ENT, "", None, None, True, id="whole-extension"),
        pytest.param('roles[displayName eq "A"].value', None, "roles", 'display eq "A"', "value", True, id="E11"),
        pytest.param(
            'roles[primary eq "True"].value', None, "roles", "primary eq true", "value", True, id="E02-filter"
        ),
        ("  userName ", None, "userName", None, None, True),
    ],
)
def test_paths_are_read(
    text: str, urn: str | None, attribute: str, condition: str | None, sub: str | None, known: bool
) -> None:
    path = parse_path(text, GROUP if text.startswith("members") else USER)
    assert (path.urn, path.attribute, path.sub, path.known) == (urn, attribute, sub, known)
    assert (to_text(path.filter) if path.filter else None) == condition


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        ".value",
        "name.",
        "name..x",
        "9lives",
        "[type eq 1]",
        "userName.value",
        "userName[value eq 1]",
        'emails.value[type eq "x"]',
        'emails[type eq "work"] x',
        'emails[type eq "work"].9',
        "urn:x y:z",
        "emails/0/value",
        "a" * 8193,
        "emails (type)[x]",
    ],
)
def test_malformed_paths_are_refused(text: str) -> None:
    with pytest.raises(InvalidPath):
        parse_path(text, USER)


@pytest.mark.parametrize(
    "text", ["emails[0]", "emails[", 'emails[type eq "work"', 'emails[type xx "work"]', "emails[]"]
)
def test_a_malformed_filter_in_a_path_is_an_invalid_filter(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_path(text, USER)
