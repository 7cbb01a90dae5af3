from typing import Any

import pytest
from scim2_models import EnterpriseUser, Group, User

from service.scim.schema import ENTERPRISE_USER, ENTERPRISE_USER_URN, GROUP, GROUP_SCHEMA, USER, USER_SCHEMA, Schema


@pytest.mark.parametrize(
    ("schema", "model"), [(USER_SCHEMA, User), (ENTERPRISE_USER, EnterpriseUser), (GROUP_SCHEMA, Group)]
)
def test_every_attribute_of_the_rfc_is_there_with_its_type(schema: Schema, model: Any) -> None:
    judged = model.to_schema().model_dump()
    assert schema.id == judged["id"]
    for wanted in judged["attributes"]:
        attribute = schema.find(wanted["name"])
        assert attribute is not None, wanted["name"]
        assert attribute.name == wanted["name"]
        assert (attribute.type, attribute.multi_valued) == (wanted["type"], wanted["multiValued"]), wanted["name"]
        for sub in wanted.get("subAttributes", ()):
            mine = attribute.find(sub["name"])
            assert mine is not None, (wanted["name"], sub["name"])
            assert mine.type == sub["type"], (wanted["name"], sub["name"])


@pytest.mark.parametrize(
    ("name", "characteristic", "value"),
    [
        ("userName", "required", True),
        ("userName", "uniqueness", "server"),
        ("userName", "case_exact", False),
        ("externalId", "case_exact", True),
        ("id", "returned", "always"),
        ("id", "mutability", "readOnly"),
        ("password", "returned", "never"),
        ("password", "mutability", "writeOnly"),
        ("groups", "mutability", "readOnly"),
        ("meta", "mutability", "readOnly"),
    ],
)
def test_characteristics_of_user_attributes(name: str, characteristic: str, value: object) -> None:
    attribute = USER.find(name)
    assert attribute is not None
    assert getattr(attribute, characteristic) == value


@pytest.mark.parametrize("written", ["userName", "USERNAME", "username"])
def test_attributes_are_found_in_any_case(written: str) -> None:
    attribute = USER.find(written)
    assert attribute is not None
    assert attribute.name == "userName"


@pytest.mark.parametrize("written", [ENTERPRISE_USER_URN, ENTERPRISE_USER_URN.upper()])
def test_extensions_are_found_in_any_case(written: str) -> None:
    extension = USER.find_extension(written)
    assert extension is not None
    assert extension.schema is ENTERPRISE_USER
    assert GROUP.find_extension(written) is None


@pytest.mark.parametrize(
    ("attribute", "alias", "name"), [("manager", "managerId", "value"), ("roles", "displayName", "display")]
)
def test_aliases_mean_the_attribute_of_the_rfc(attribute: str, alias: str, name: str) -> None:
    parent = USER.find(attribute) or ENTERPRISE_USER.find(attribute)
    assert parent is not None
    found = parent.find(alias)
    assert found is not None
    assert found.name == name


def test_the_managers_own_display_name_is_not_an_alias() -> None:
    manager = ENTERPRISE_USER.find("manager")
    assert manager is not None
    found = manager.find("displayname")
    assert found is not None
    assert found.name == "displayName"


def test_unknown_names_are_not_found() -> None:
    assert USER.find("department") is None
    assert USER.find("members") is None


def test_a_document_says_nothing_that_is_empty() -> None:
    emails = USER.find("emails")
    assert emails is not None
    document = emails.to_document()
    assert document["multiValued"] is True
    assert "caseExact" not in document
    assert "canonicalValues" not in document
    kinds: Any = document["subAttributes"]
    assert kinds[2]["canonicalValues"] == ["work", "home", "other"]
    assert all(part["description"] for part in kinds)
