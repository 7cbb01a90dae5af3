"""From what providers send to the attributes that WorkOS predefines."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.custom_attributes import Attribute, AttributeMapping, custom_attributes
from service.domain.user import User, previous_of
from service.scim.documents import decode
from service.scim.schema import USER

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
NOW = datetime(2031, 1, 1, tzinfo=UTC)
NOTHING = {
    "addresses": None,
    "cost_center_name": None,
    "department_name": None,
    "division_name": None,
    "emails": None,
    "employee_number": None,
    "employee_type": None,
    "employment_start_date": None,
    "job_title": None,
    "manager_email": None,
    "organization": None,
    "username": None,
}


def user(version: int = 1, **document: Any) -> User:
    return User("d1", "o1", "u1", document, version, NOW, NOW)


def test_each_attribute_is_there_whatever_the_document() -> None:
    assert custom_attributes({}) == NOTHING
    assert custom_attributes({"userName": "ada"}) == {**NOTHING, "username": "ada"}


def test_an_enterprise_user() -> None:
    document = decode(
        {
            "userName": "ada@acme.example",
            "title": "Engineer",
            "userType": "Employee",
            "emails": [{"value": "ada@acme.example", "type": "work", "primary": True}, {"value": "ada@home.example"}],
            "addresses": [
                {
                    "type": "work",
                    "streetAddress": "1 Way",
                    "locality": "Bath",
                    "region": "Somerset",
                    "postalCode": "BA1",
                    "country": "GB",
                    "formatted": "1 Way, Bath",
                    "primary": True,
                },
                {"type": "home", "locality": "Wells"},
                {"type": "other"},
            ],
            ENTERPRISE: {
                "department": "Research",
                "division": "Labs",
                "costCenter": "4130",
                "organization": "Acme",
                "employeeNumber": "701984",
                "manager": {"value": "boss@acme.example", "displayName": "The Boss"},
            },
        },
        USER,
    ).prepared
    address = dict.fromkeys(("street_address", "region", "postal_code", "country", "raw_address"))
    assert custom_attributes(document) == {
        "addresses": [
            {
                "type": "work",
                "street_address": "1 Way",
                "locality": "Bath",
                "region": "Somerset",
                "postal_code": "BA1",
                "country": "GB",
                "raw_address": "1 Way, Bath",
                "primary": True,
            },
            {"type": "home", "locality": "Wells", **address, "primary": False},
        ],
        "cost_center_name": "4130",
        "department_name": "Research",
        "division_name": "Labs",
        "emails": [
            {"type": "work", "value": "ada@acme.example", "primary": True},
            {"type": None, "value": "ada@home.example", "primary": False},
        ],
        "employee_number": "701984",
        "employee_type": "Employee",
        "employment_start_date": None,
        "job_title": "Engineer",
        "manager_email": "boss@acme.example",
        "organization": "Acme",
        "username": "ada@acme.example",
    }


@pytest.mark.parametrize(
    ("manager", "email"),
    [
        ({"value": "26118915-6090-4610-87e4-49d8ca9f808d", "displayName": "The Boss"}, None),
        ({"value": "u7", "displayName": "boss@acme.example"}, "boss@acme.example"),
        ({"displayName": "boss@acme.example"}, "boss@acme.example"),
        ({"value": "u7", "email": "boss@acme.example"}, "boss@acme.example"),
        ("boss@acme.example", "boss@acme.example"),
        (["boss@acme.example"], None),
        ({}, None),
        (None, None),
    ],
)
def test_a_manager_has_an_address_where_one_was_sent(manager: Any, email: str | None) -> None:
    assert custom_attributes({ENTERPRISE: {"manager": manager}})["manager_email"] == email


@pytest.mark.parametrize("key", ["employmentStartDate", "startDate", "hireDate", "employeeHireDate", "hire_date"])
def test_a_start_date_comes_in_an_extension_of_the_providers_own(key: str) -> None:
    extension = {"urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User": {"x": 1, key: "2031-03-01"}}
    assert custom_attributes({"userName": "ada", **extension})["employment_start_date"] == "2031-03-01"
    assert custom_attributes({ENTERPRISE: {key: "2031-03-01"}})["employment_start_date"] == "2031-03-01"
    assert custom_attributes({key: "2031-03-01", "urn:x": "2031-03-01"})["employment_start_date"] is None


@pytest.mark.parametrize(
    "odd",
    [
        {"emails": "ada@acme.example", "addresses": {}, "title": 7, ENTERPRISE: "x"},
        {"emails": [7, {}, {"value": ""}, {"value": 7}], "addresses": [7, {}, {"locality": 7}], "title": ""},
        {"addresses": [{"type": "work", "primary": True}], "x": {"startDate": "2031-03-01"}},
        {ENTERPRISE: {"department": {"x": 1}, "costCenter": 7, "manager": 7}, "urn:x": {"startDate": {"x": 1}}},
    ],
)
def test_what_is_not_understood_is_no_value(odd: dict[str, Any]) -> None:
    assert custom_attributes(odd) == NOTHING


def test_another_mapping_is_another_value() -> None:
    nested = Attribute("badge", (("urn:x", "door", "badge"), ("nickName",)))
    mapping = AttributeMapping((nested,))
    assert custom_attributes({"urn:x": {"door": {"badge": "B1"}}, "nickName": "A"}, mapping) == {"badge": "B1"}
    assert custom_attributes({"urn:x": {"door": "B1"}, "nickName": "A"}, mapping) == {"badge": "A"}
    assert custom_attributes({}, mapping) == {"badge": None}


def test_previous_attributes_name_the_keys_that_changed() -> None:
    before = user(userName="ada", title="Engineer", **{ENTERPRISE: {"department": "Research"}})
    after = user(userName="ada", userType="Employee", **{ENTERPRISE: {"department": "Labs"}})
    previous = previous_of(before, after)
    assert previous["custom_attributes"] == {
        "department_name": "Research",
        "employee_type": None,
        "job_title": "Engineer",
    }
    assert previous["department_name"] == "Research"
    assert previous["raw_attributes"].keys() == {"title", "userType", ENTERPRISE}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"active": True}, {"active": False}),
        ({ENTERPRISE: {"department": None}}, {}),
        ({"title": ""}, {}),
        ({"emails": []}, {}),
        ({"nickName": "A"}, {"nickName": "B"}),
    ],
)
def test_null_and_absent_are_the_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert "custom_attributes" not in previous_of(user(userName="ada", **before), user(userName="ada", **after))
