import pytest

from service.scim.errors import InvalidFilter
from service.scim.filters import (
    MAX_FILTER_DEPTH,
    MAX_FILTER_LENGTH,
    MAX_FILTER_TERMS,
    AttrPath,
    Compare,
    Filter,
    Present,
    ValuePath,
    parse_filter,
    resolve,
    to_text,
)
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import GROUP, USER

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"

RFC_EXAMPLES = [
    # RFC 7644 section 3.4.2.2, figure 2
    ('userName eq "bjensen"', 'userName eq "bjensen"'),
    ('name.familyName co "O\'Malley"', 'name.familyName co "O\'Malley"'),
    ('userName sw "J"', 'userName sw "J"'),
    (f'{USER_URN}:userName sw "J"', 'userName sw "J"'),
    ("title pr", "title pr"),
    ('meta.lastModified gt "2011-05-13T04:42:34Z"', 'meta.lastModified gt "2011-05-13T04:42:34Z"'),
    ('title pr and userType eq "Employee"', 'title pr and userType eq "Employee"'),
    ('title pr or userType eq "Intern"', 'title pr or userType eq "Intern"'),
    (f'schemas eq "{ENT}"', f'schemas eq "{ENT}"'),
    (
        'userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")',
        'userType eq "Employee" and (emails.value co "example.com" or emails.value co "example.org")',
    ),
    (
        'userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")',
        'userType ne "Employee" and not (emails.value co "example.com" or emails.value co "example.org")',
    ),
    ('userType eq "Employee" and (emails.type eq "work")', 'userType eq "Employee" and emails.type eq "work"'),
    (
        'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]',
        'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]',
    ),
    (
        'emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]',
        'emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]',
    ),
]

DIALECTS = [
    pytest.param('emails[type eq "work"].value eq "a@x"', 'emails[type eq "work" and value eq "a@x"]', id="E15"),
    pytest.param(
        'emails[type eq "work" or primary eq true].value eq "a"',
        'emails[(type eq "work" or primary eq true) and value eq "a"]',
        id="E15-or",
    ),
    pytest.param('id eq "x" and manager eq "y"', f'id eq "x" and {ENT}:manager.value eq "y"', id="E16"),
    pytest.param('manager eq "y" and id eq "x"', f'{ENT}:manager.value eq "y" and id eq "x"', id="E16-other-order"),
    pytest.param("externalId eq jyoung", 'externalId eq "jyoung"', id="E17"),
    pytest.param("externalId eq 007", 'externalId eq "007"', id="E17-digits"),
    pytest.param("userName eq ada@contoso.com", 'userName eq "ada@contoso.com"', id="E17-address"),
    pytest.param("userName eq true", 'userName eq "true"', id="E17-keyword"),
    pytest.param('USERNAME EQ "Ada"', 'userName eq "Ada"', id="rule-3"),
    pytest.param('active eq "True"', "active eq true", id="rule-4"),
    pytest.param('active Eq "FALSE"', "active eq false", id="rule-4-false"),
    pytest.param("active eq True", "active eq true", id="rule-4-unquoted"),
    pytest.param(f'{ENT}:employeeNumber eq "7"', f'{ENT}:employeeNumber eq "7"', id="scimitar-116"),
    pytest.param(f'{ENT.upper()}:MANAGER.VALUE eq "7"', f'{ENT}:manager.value eq "7"', id="E03-case"),
    pytest.param(f'{ENT}:manager.displayName eq "B"', f'{ENT}:manager.displayName eq "B"', id="E03-sub"),
    pytest.param('emails.value eq "a" or roles eq "b"', 'emails.value eq "a" or roles.value eq "b"', id="SAP"),
    pytest.param(
        'displayName eq "Vertrieb Köln (\\"EU\\") + #1 & \\\\"',
        'displayName eq "Vertrieb Köln (\\"EU\\") + #1 & \\\\"',
        id="P03-escapes",
    ),
    pytest.param("urn:okta:x:1.0:user:custom.Sub gt 3", "urn:okta:x:1.0:user:custom.Sub gt 3", id="unknown-extension"),
    pytest.param("title eq null", "title eq null", id="null"),
    pytest.param("displayName eq 'R & D (EU)'", 'displayName eq "R & D (EU)"', id="single-quotes"),
    pytest.param("(userName eq 'a')", 'userName eq "a"', id="single-quotes-in-parentheses"),
    pytest.param('active eq "1" or active eq 0', "active eq true or active eq false", id="numbers-as-booleans"),
    pytest.param('department eq "R&D"', f'{ENT}:department eq "R&D"', id="without-urn"),
    pytest.param(
        'urn:scim:schemas:extension:enterprise:1.0:department eq "R&D"', f'{ENT}:department eq "R&D"', id="urn-of-1.1"
    ),
    pytest.param('urn:scim:schemas:core:1.0:userName eq "a"', 'userName eq "a"', id="core-urn-of-1.1"),
    pytest.param(
        'emails[emails.type eq "work" and Emails.Value pr]',
        'emails[type eq "work" and value pr]',
        id="sub-attributes-under-their-whole-name",
    ),
]


@pytest.mark.parametrize(("text", "canonical"), [*RFC_EXAMPLES, *DIALECTS])
def test_filters_are_read(text: str, canonical: str) -> None:
    assert to_text(parse_filter(text, USER)) == canonical


def test_the_tree_of_a_value_path() -> None:
    expected: Filter = ValuePath(AttrPath(None, "emails"), Compare(AttrPath(None, "type"), "eq", "work"))
    assert parse_filter('emails[type eq "work"]', USER) == expected


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("title pr or active pr and nickName pr", "title pr or active pr and nickName pr"),
        ("(title pr or active pr) and nickName pr", "(title pr or active pr) and nickName pr"),
        ("not (title pr) and active pr", "not (title pr) and active pr"),
        ("not(title pr and active pr)or nickName pr", "not (title pr and active pr) or nickName pr"),
        ("(((title pr)))", "title pr"),
        ("title pr and (active pr and nickName pr)", "title pr and active pr and nickName pr"),
    ],
)
def test_not_binds_tighter_than_and_than_or(text: str, canonical: str) -> None:
    assert to_text(parse_filter(text, USER)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "userName",
        "userName eq",
        'userName is "x"',
        'userName eq "x',
        'userName eq "x\\"',
        'userName eq "\\q"',
        'userName eq "x" and',
        'userName eq "x" userType eq "y"',
        'and userName eq "x"',
        '(userName eq "x"',
        'userName eq "x")',
        'not userName eq "x"',
        "userName eq (",
        '"userName" eq "x"',
        "userName eq 'a b",
        "userName eq 'a\\'",
        "userName eq 'a'b",
        "userName eq '\0'",
        'userName eq "a\\u0000b"',
        'userName eq "a\0b"',
        'userName eq "\\ud800"',
        "urn:x\u00e9:y:z pr",
        "urn:x:y:z! pr",
        "urn:x:y:z.9 pr",
        'name. eq "x"',
        'urn:x:y:z[a eq "b"].c\0 eq "d"',
        'urn:x:y:z[a\0 eq "b"]',
        'urn:x:y:z[a.b eq "c"]',
    ],
)
def test_malformed_filters_are_refused(text: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text, USER)
    assert caught.value.detail


@pytest.mark.parametrize(
    "text",
    [
        'shoeSize eq "9"',
        'shoe.size eq "9"',
        'name.firstName eq "A"',
        'emails[shape eq "round"]',
        'emails[type eq "work"].shape eq "x"',
        'userName.value eq "x"',
        'members eq "x"',
        'password eq "secret"',
        f'{ENT}:shoeSize eq "9"',
        f'{ENT} eq "9"',
        'name eq "Ada"',
        'addresses eq "Berlin"',
        'userName[value eq "x"]',
        'emails[type[value eq "x"]]',
        'emails.value[type eq "x"]',
    ],
)
def test_unknown_or_incomparable_attributes_are_refused_never_ignored(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(text, USER)


@pytest.mark.parametrize(
    "text",
    [
        "active gt true",
        "active co true",
        'active eq "maybe"',
        "active eq 2",
        'meta.created gt "yesterday"',
        'meta.created co "2011"',
        'x509Certificates gt "MII"',
        "userName gt null",
        "urn:x:y:z co true",
    ],
)
def test_operators_that_do_not_suit_the_type_are_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(text, USER)


def test_ceilings_are_exact() -> None:
    name = "a" * (MAX_FILTER_LENGTH - len('userName eq ""'))
    assert parse_filter(f'userName eq "{name}"', USER)
    assert parse_filter("(" * MAX_FILTER_DEPTH + "title pr" + ")" * MAX_FILTER_DEPTH, USER)
    assert parse_filter(" or ".join(["title pr"] * MAX_FILTER_TERMS), USER)
    for text in (
        f'userName eq "{name}a"',
        "(" * (MAX_FILTER_DEPTH + 1) + "title pr" + ")" * (MAX_FILTER_DEPTH + 1),
        " or ".join(["title pr"] * (MAX_FILTER_TERMS + 1)),
    ):
        with pytest.raises(InvalidFilter):
            parse_filter(text, USER)


@pytest.mark.parametrize(
    ("text", "kind", "case_exact", "multi_valued", "parent"),
    [
        ("userName pr", "string", False, False, None),
        ("externalId pr", "string", True, False, None),
        ("name.givenName pr", "string", False, False, "name"),
        ("emails.value pr", "string", False, True, "emails"),
        ("meta.lastModified pr", "dateTime", False, False, "meta"),
        (f"{ENT}:manager.value pr", "string", False, False, "manager"),
        ("urn:x:y:z pr", "unknown", True, False, None),
    ],
)
def test_resolve_tells_what_a_path_compares(
    text: str, kind: str, case_exact: bool, multi_valued: bool, parent: str | None
) -> None:
    expression = parse_filter(text, USER)
    assert isinstance(expression, Present)
    resolved = resolve(expression.path, USER)
    assert (resolved.type, resolved.case_exact, resolved.multi_valued) == (kind, case_exact, multi_valued)
    assert (resolved.parent_attribute.name if resolved.parent_attribute else None) == parent


def test_resolve_inside_a_value_path() -> None:
    resolved = resolve(AttrPath(None, "value"), GROUP, within=AttrPath(None, "members"))
    assert resolved.attribute is not None
    assert resolved.attribute.name == "value"
    assert resolved.case_exact
    assert resolved.multi_valued
