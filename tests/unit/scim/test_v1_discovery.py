"""Discovery documents of SCIM 1.1."""

from typing import Any

import pytest

from service.scim.discovery import schemas as schemas_of_2_0
from service.scim.discovery import service_provider_config
from service.scim.v1 import CORE_URN, ENTERPRISE_URN
from service.scim.v1_discovery import OKTA_CONFIG_URN, config, schema, schemas_list

BASE = "https://dir.example/scim/v1/key"
TIDES = {
    "id": "urn:example:tides",
    "name": "Tides",
    "description": "A directory's own",
    "attributes": [
        {"name": "watch", "type": "integer", "multiValued": False, "description": "d", "required": False,
         "mutability": "readWrite"},
    ],
}  # fmt: skip


def test_the_configuration_tells_the_agent_of_okta_what_it_may_do() -> None:
    made = config(service_provider_config(BASE, max_operations=1, max_payload=2, max_results=3, documentation_uri="u"))
    assert made["schemas"] == [CORE_URN, OKTA_CONFIG_URN]
    capabilities = made[OKTA_CONFIG_URN]["userManagementCapabilities"]
    assert {"PUSH_NEW_USERS", "PUSH_USER_DEACTIVATION", "GROUP_PUSH"} <= set(capabilities)
    assert "PUSH_PASSWORD_UPDATES" not in capabilities
    assert (made["patch"], made["filter"]) == ({"supported": True}, {"supported": True, "maxResults": 3})
    assert (made["bulk"]["supported"], made["xmlDataFormat"]) == (False, {"supported": False})
    assert (made["documentationUrl"], made["meta"]) == ("u", {"location": f"{BASE}/ServiceProviderConfigs"})
    assert made["authenticationSchemes"][0]["specUrl"].startswith("https://")
    assert "pagination" not in made


@pytest.mark.parametrize("name", ["Users", "user", f"{CORE_URN}:User", f"{CORE_URN}:user"])
def test_the_schema_of_users_holds_the_extension(name: str) -> None:
    found = schema(name, schemas_of_2_0(BASE), BASE)
    assert found is not None
    assert (found["id"], found["schema"], found["endpoint"]) == (f"{CORE_URN}:User", CORE_URN, "/Users")
    assert found["meta"] == {"location": f"{BASE}/Schemas/Users"}
    attributes = {attribute["name"]: attribute for attribute in found["attributes"]}
    assert attributes["id"]["readOnly"] is True
    assert attributes["userName"]["required"] is True
    emails = attributes["emails"]
    assert (emails["type"], emails["multiValued"], emails["multiValuedAttributeChildName"]) == (
        "complex",
        True,
        "email",
    )
    assert attributes["addresses"]["multiValuedAttributeChildName"] == "address"
    assert attributes["department"]["schema"] == ENTERPRISE_URN
    assert [sub["name"] for sub in attributes["manager"]["subAttributes"]] == ["managerId", "$ref", "displayName"]


def test_the_schema_of_groups() -> None:
    found = schema("Groups", schemas_of_2_0(BASE), BASE)
    assert found is not None
    members = next(attribute for attribute in found["attributes"] if attribute["name"] == "members")
    assert [sub["name"] for sub in members["subAttributes"]] == ["value", "display", "type"]
    assert found["endpoint"] == "/Groups"


def test_all_schemas_and_those_of_the_directory_itself() -> None:
    response = schemas_list([*schemas_of_2_0(BASE), TIDES], BASE)
    assert (response["schemas"], response["totalResults"]) == ([CORE_URN], 3)
    assert [entry["id"] for entry in response["Resources"]] == [
        f"{CORE_URN}:User",
        f"{CORE_URN}:Group",
        "urn:example:tides",
    ]
    assert "urn:ietf" not in str(response["Resources"])


@pytest.mark.parametrize("name", ["Devices", "", "urn:ietf:params:scim:schemas:core:2.0:User"])
def test_there_are_no_other_schemas(name: str) -> None:
    assert schema(name, schemas_of_2_0(BASE), BASE) is None


def test_every_attribute_has_the_fields_of_1_1() -> None:
    def walk(attribute: dict[str, Any]) -> None:
        assert {"name", "type", "multiValued", "description", "readOnly", "required", "caseExact"} <= attribute.keys()
        assert attribute["type"] in {"string", "boolean", "decimal", "integer", "dateTime", "binary", "complex"}
        for sub in attribute.get("subAttributes", ()):
            walk(sub)

    for entry in schemas_list(schemas_of_2_0(BASE), BASE)["Resources"]:
        for attribute in entry["attributes"]:
            walk(attribute)
