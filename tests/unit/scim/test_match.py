from typing import Any

import pytest

from service.scim.filters import parse_filter
from service.scim.match import matches
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import USER

ADA: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENT],
    "id": "7",
    "userName": "Ada@Contoso.com",
    "externalId": "A1",
    "name": {"familyName": "O'Malley"},
    "active": True,
    "displayName": "Köln",
    "emails": [{"type": "work", "value": "ada@x.org"}, {"type": "home", "value": "ada@y.org", "primary": True}],
    "title": "",
    "roles": ["admin"],
    "profileUrl": {"unread": ["x"]},
    ENT: {"department": "R&D", "manager": {"value": "77"}},
    "urn:x:y": {"level": 5, "Tags": ["a", "b"]},
    "urn:a:b": "text",
    "meta": {"created": "once", "lastModified": "2011-05-13T04:42:34+02:00"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('userName eq "ada@contoso.com"', True),  # O09
        ('userName eq "ada"', False),
        ('externalId eq "A1"', True),
        ('externalId eq "a1"', False),
        ('name.familyName co "malley"', True),
        ('userName sw "ADA"', True),
        ('userName ew ".com"', True),
        ('userName gt "a"', True),
        ('userName lt "a"', False),
        ("active eq true", True),
        ("active ne true", False),
        ('displayName eq "KÖLN"', True),
        ('displayName eq "Ko\u0308ln"', True),  # P03
        ("title pr", False),
        ("emails pr", True),
        ("nickName pr", False),
        ('nickName ne "x"', True),
        ("nickName eq null", True),
        ("userName ne null", True),
        ("not (nickName pr)", True),
        ('emails eq "ADA@y.org"', True),
        ('emails[type eq "work" and value eq "ada@x.org"]', True),
        ('emails[type eq "work"].value eq "ada@y.org"', False),  # E15: one and the same element
        ('emails.type eq "work" and emails.value eq "ada@y.org"', True),
        ('emails[not (type eq "work") and primary eq true]', True),
        ('emails.value ne "ada@x.org"', False),
        ('emails.value ne "nobody"', True),
        (f'{ENT}:department eq "r&d"', True),
        ('id eq "7" and manager eq "77"', True),
        ('id eq "7" and manager eq "78"', False),
        ('meta.lastModified eq "2011-05-13T02:42:34Z"', True),
        ('meta.lastModified ge "2011-05-13T02:42:34"', True),
        ('meta.lastModified lt "2011-05-13T02:42:34.5Z"', True),
        ('meta.lastModified gt "2011-05-13T02:42:34Z"', False),
        ("urn:x:y:level gt 4", True),
        ("urn:x:y:level le 4", False),
        ('urn:x:y:level eq "5"', False),
        ('urn:x:y:tags eq "b"', True),
        ("urn:x:y:nothing pr", False),
        (f'schemas eq "{ENT}"', True),
        ('nickName pr or displayName sw "k"', True),
        ('emails[type eq "other" or primary eq true]', True),
        ("emails[display pr]", False),
        ('roles eq "admin"', True),
        ('roles[value eq "ADMIN"]', True),
        ('roles.display eq "admin"', False),
        ("urn:a:b:c pr", False),
        ("profileUrl pr", True),
        ('meta.created eq "2011-05-13T02:42:34Z"', False),
    ],
)
def test_matching(text: str, expected: bool) -> None:
    assert matches(parse_filter(text, USER), ADA, USER) is expected
