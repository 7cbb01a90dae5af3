from typing import Any

import pytest

from service.scim.projection import Projection
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import USER

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ADA: dict[str, Any] = {
    "schemas": [CORE, ENT],
    "id": "7",
    "userName": "ada",
    "name": {"givenName": "Ada", "familyName": "Byron"},
    "emails": [{"value": "a", "type": "work"}, {"value": "b"}],
    "shoeSize": 9,
    ENT: {"department": "R", "manager": {"value": "77", "displayName": "C"}},
    "meta": {"resourceType": "User", "version": "1"},
}
ALWAYS = {"schemas": ADA["schemas"], "id": "7"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param("id", {}, id="E16"),
        pytest.param("userName", {"userName": "ada"}, id="RFC"),
        pytest.param("userName,emails", {"userName": "ada", "emails": ADA["emails"]}, id="list"),
        pytest.param(["USERNAME", f"{CORE}:shoeSize"], {"userName": "ada", "shoeSize": 9}, id="case-and-urn"),
        pytest.param("name.givenName", {"name": {"givenName": "Ada"}}, id="sub"),
        pytest.param("name.givenName,name", {"name": ADA["name"]}, id="whole-wins"),
        pytest.param("name,name.givenName", {"name": ADA["name"]}, id="whole-wins-in-any-order"),
        pytest.param("emails.type", {"emails": [{"type": "work"}]}, id="sub-of-many"),
        pytest.param(ENT, {ENT: ADA[ENT]}, id="extension"),
        pytest.param(f"{ENT.lower()}:Department", {ENT: {"department": "R"}}, id="extension-attribute"),
        pytest.param(f"{ENT}:manager.value", {ENT: {"manager": {"value": "77"}}}, id="extension-sub"),
        pytest.param("manager", {ENT: {"manager": ADA[ENT]["manager"]}}, id="bare-manager"),
        pytest.param("nothing", {}, id="unknown"),
        pytest.param(CORE, {"userName": "ada", "name": ADA["name"], "emails": ADA["emails"]}, id="core-schema"),
        pytest.param("meta.version", {"meta": {"version": "1"}}, id="meta"),
    ],
)
def test_attributes(attributes: str | list[str], expected: dict[str, Any]) -> None:
    assert Projection.parse(attributes, None, USER).apply(ADA) == {**ALWAYS, **expected}


@pytest.mark.parametrize(
    ("excluded", "missing"),
    [("name", {"name"}), ("NAME,Emails", {"name", "emails"}), ("id,schemas", set()), ("nothing", set()), (ENT, {ENT})],
)
def test_excluded_attributes(excluded: str, missing: set[str]) -> None:
    assert Projection.parse(None, excluded, USER).apply(ADA) == {k: v for k, v in ADA.items() if k not in missing}


@pytest.mark.parametrize(
    ("excluded", "name", "value"),
    [
        ("emails.type", "emails", [{"value": "a"}, {"value": "b"}]),
        (f"{ENT}:manager", ENT, {"department": "R"}),
        (f"{ENT}:manager.displayName", ENT, {"department": "R", "manager": {"value": "77"}}),
    ],
)
def test_parts_are_excluded(excluded: str, name: str, value: object) -> None:
    assert Projection.parse(None, excluded, USER).apply(ADA) == {**ADA, name: value}


@pytest.mark.parametrize("nothing", [None, "", " , ", [], ()])
def test_nothing_asked_for_is_everything(nothing: Any) -> None:
    assert Projection.parse(nothing, nothing, USER).apply(ADA) == ADA


def test_attributes_win_over_excluded_attributes() -> None:
    assert Projection.parse("userName", "userName", USER).apply(ADA) == {**ALWAYS, "userName": "ada"}


@pytest.mark.parametrize(
    ("attributes", "excluded", "wanted"),
    [
        (None, None, True),
        (None, "Members", False),
        (None, "members.display", True),
        ("id", None, False),
        ("members.value", None, True),
    ],
)
def test_what_need_not_be_loaded(attributes: str | None, excluded: str | None, wanted: bool) -> None:
    assert Projection.parse(attributes, excluded, USER).wants("members") is wanted
    assert Projection.parse(attributes, excluded, USER).wants("id")


def test_the_document_is_not_changed() -> None:
    Projection.parse(None, "emails.type", USER).apply(ADA)
    assert ADA["emails"][0] == {"value": "a", "type": "work"}


def test_a_filter_in_attribute_notation_means_the_attribute() -> None:
    """Microsoft's test collection asks so (SCIMReferenceCode, "Get user via attributes filter")."""
    document = {"id": "1", "schemas": [], "userName": "a", "title": "t", "emails": [{"value": "x"}]}
    projection = Projection.parse('emails[type eq "work", and "a"],title', None, USER)
    assert projection.apply(document).keys() == {"id", "schemas", "emails", "title"}
