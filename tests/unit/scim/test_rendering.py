from typing import Any

from scim2_models import EnterpriseUser, Group, User

from service.scim.documents import decode
from service.scim.rendering import GroupRef, MemberRef, render
from service.scim.schema import CORE_GROUP_URN, CORE_USER_URN, GROUP, USER, ResourceType
from service.scim.schema import ENTERPRISE_USER_URN as ENT


def rendered(document: dict[str, Any], resource_type: ResourceType = USER, **more: Any) -> dict[str, Any]:
    return render(
        document,
        resource_type=resource_type,
        id="7",
        created="2026-01-01T00:00:00Z",
        modified="2026-01-02T00:00:00Z",
        version='W/"3"',
        base_url="https://host/scim/v2/key/",
        **more,
    )


def test_a_user_is_complete() -> None:
    resource = rendered({"userName": "ada", "active": True})
    assert resource == {
        "schemas": [CORE_USER_URN],
        "id": "7",
        "userName": "ada",
        "active": True,
        "meta": {
            "resourceType": "User",
            "created": "2026-01-01T00:00:00Z",
            "lastModified": "2026-01-02T00:00:00Z",
            "location": "https://host/scim/v2/key/Users/7",
            "version": 'W/"3"',
        },
    }


def test_schemas_follow_from_the_content() -> None:
    document = {"userName": "a", ENT: {"department": "R"}, "urn:okta:custom:group:1.0": {"d": 1}, "urn:odd": 1}
    assert rendered(document)["schemas"] == [CORE_USER_URN, ENT, "urn:okta:custom:group:1.0"]


def test_groups_of_a_user() -> None:
    resource = rendered({"userName": "a"}, groups=[GroupRef("g", "Eng"), GroupRef("h", type="indirect")])
    assert resource["groups"] == [
        {"value": "g", "$ref": "https://host/scim/v2/key/Groups/g", "type": "direct", "display": "Eng"},
        {"value": "h", "$ref": "https://host/scim/v2/key/Groups/h", "type": "indirect"},
    ]


def test_members_of_a_group_k05() -> None:
    members = [MemberRef("u", None, "Ada"), MemberRef("g", "Group")]
    resource = rendered({"displayName": "Eng"}, GROUP, members=members)
    assert resource["schemas"] == [CORE_GROUP_URN]
    assert resource["meta"]["location"] == "https://host/scim/v2/key/Groups/7"
    assert resource["members"] == [
        {"value": "u", "$ref": "https://host/scim/v2/key/Users/u", "type": "User", "display": "Ada"},
        {"value": "g", "$ref": "https://host/scim/v2/key/Groups/g", "type": "Group"},
    ]
    assert rendered({"displayName": "Eng"}, GROUP, members=[])["members"] == []
    assert "members" not in rendered({"displayName": "Eng"}, GROUP)


def test_no_null_no_password_no_foreign_id() -> None:
    resource = rendered(
        {"userName": "a", "title": None, "password": "x", "id": "other", "schemas": ["x"], "groups": [1]}
    )
    assert resource.keys() == {"schemas", "id", "userName", "meta"}
    assert resource["id"] == "7"


def test_an_independent_model_accepts_what_is_rendered() -> None:
    body = {
        "userName": "ada@x.org",
        "emails": [{"value": "ada@x.org", "type": "work", "primary": True}],
        "active": "true",
        ENT: {"manager": "77", "employeeNumber": 5},
    }
    user = rendered(decode(body, USER).prepared, groups=[GroupRef("g", "Eng")])
    assert User[EnterpriseUser].model_validate(user).model_dump() == user | {"meta": user["meta"]}
    assert Group.model_validate(rendered({"displayName": "g"}, GROUP, members=[MemberRef("u")])).members
