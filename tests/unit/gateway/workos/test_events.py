"""Events in WorkOS's form, read by WorkOS's own models."""

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from workos.common.models.dsync_group_user_added import DsyncGroupUserAdded
from workos.events.models.event_schema import EventSchema, EventSchemaUnknown

from directorysync.v1 import directory_sync_pb2, events_pb2
from directorysync.v1 import resources_pb2 as pb
from gateway.workos.directories import directory_type, provider_of
from gateway.workos.events import render_event

NOON = Timestamp(seconds=1_768_478_400, nanos=7_900_000)
DIRECTORY = pb.Directory(
    id="directory_1",
    organization_id="org_1",
    name="HR",
    provider="okta",
    state=pb.DIRECTORY_STATE_LINKED,
    scim_key="key-1",
    create_time=NOON,
    update_time=NOON,
)
USER = pb.DirectoryUser(
    id="directory_user_1",
    directory_id="directory_1",
    organization_id="org_1",
    idp_id="00u1",
    user_name="ada@acme.test",
    email="ada@acme.test",
    emails=[pb.Email(value="ada@acme.test", type="work", primary=True), pb.Email(value="a@home.test")],
    first_name="Ada",
    display_name="Ada Lovelace",
    state=pb.DIRECTORY_USER_STATE_ACTIVE,
    raw_attributes_json='{"userName":"ada@acme.test","x":{"2":1.0,"1":"é"}}',
    custom_attributes_json='{"department_name":"R&D","employee_number":null}',
    create_time=NOON,
    update_time=NOON,
)
GROUP = pb.DirectoryGroup(
    id="directory_group_1",
    directory_id="directory_1",
    organization_id="org_1",
    idp_id="Engineers",
    name="Engineers",
    create_time=NOON,
    update_time=NOON,
)
MEMBERSHIP = pb.Membership(
    group_id="directory_group_1",
    group_name="Engineers",
    member_id="directory_user_1",
    member_type=pb.MEMBER_TYPE_USER,
    member_name="ada@acme.test",
)


def event(kind: str, **fields: Any) -> events_pb2.Event:
    return events_pb2.Event(
        id="event_1", type=kind, directory_id="directory_1", organization_id="org_1", create_time=NOON, **fields
    )


def data(kind: str, resolved: directory_sync_pb2.ResolvedMembership | None = None, **fields: Any) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(render_event(event(kind, **fields), resolved))["data"]
    return shown


def test_the_bytes_of_an_event() -> None:
    assert render_event(event("dsync.user.created", user=USER)).decode() == (
        '{"object":"event","id":"event_1","event":"dsync.user.created","data":{"object":"directory_user",'
        '"id":"directory_user_1","directory_id":"directory_1","organization_id":"org_1","idp_id":"00u1",'
        '"email":"ada@acme.test","first_name":"Ada","last_name":null,"name":"Ada Lovelace",'
        '"emails":[{"primary":true,"type":"work","value":"ada@acme.test"},'
        '{"primary":false,"type":null,"value":"a@home.test"}],"job_title":null,"username":"ada@acme.test",'
        '"state":"active","custom_attributes":{"department_name":"R&D","employee_number":null},'
        '"raw_attributes":{"userName":"ada@acme.test","x":{"1":"é","2":1}},'
        '"created_at":"2026-01-15T12:00:00.007Z","updated_at":"2026-01-15T12:00:00.007Z"},'
        '"created_at":"2026-01-15T12:00:00.007Z","context":{}}'
    )


def test_a_user_without_address_still_has_the_key() -> None:
    shown = data("dsync.user.deleted", user=pb.DirectoryUser(id="directory_user_1"))
    assert shown["email"] is None
    assert shown["custom_attributes"] == shown["raw_attributes"] == {}
    assert "groups" not in shown


def test_previous_attributes_stand_in_data_under_workos_names() -> None:
    previous = {
        "user_name": "old@acme.test",
        "display_name": None,
        "state": "inactive",
        "manager_id": "m1",
        "department_name": "Sales",
        "emails": [{"value": "old@acme.test", "type": "", "primary": True}],
        "custom_attributes": {"employee_number": "7"},
        "raw_attributes": {"title": None},
    }
    shown = data("dsync.user.updated", user=USER, previous_attributes_json=json.dumps(previous))
    assert shown["previous_attributes"] == {
        "username": "old@acme.test",
        "name": None,
        "state": "inactive",
        "emails": [{"primary": True, "type": None, "value": "old@acme.test"}],
        "raw_attributes": {"title": None},
        "custom_attributes": {"department_name": "Sales", "employee_number": "7"},
    }


def test_directories_spell_their_state_as_events_do() -> None:
    activated = data("dsync.activated", directory=DIRECTORY)
    assert activated["state"] == "active"
    assert activated["type"] == "okta scim v2.0"
    assert activated["external_key"] == "key-1"
    assert activated["domains"] == []
    deleted = data("dsync.deleted", directory=DIRECTORY)
    assert not {"domain", "domains", "external_key", "previous_attributes"} & deleted.keys()


def test_types_beyond_workos_pass() -> None:
    previous = '{"state":"linked","provider":"entra","name":"Old"}'
    disabled = pb.Directory(id="directory_1", state=pb.DIRECTORY_STATE_DISABLED)
    shown = data("dsync.disabled", directory=disabled, previous_attributes_json=previous)
    assert shown["state"] == "inactive"
    assert shown["previous_attributes"] == {"name": "Old", "type": "azure scim v2.0", "state": "active"}
    nested = pb.Membership(group_id="g1", group_name="All", member_id="g2", member_type=pb.MEMBER_TYPE_GROUP)
    nested.member_name = "Some"
    shown = data("dsync.group.group_added", membership=nested)
    assert (shown["group"]["id"], shown["group"]["name"]) == ("g1", "All")
    assert (shown["member"]["id"], shown["member"]["name"], shown["member"]["object"]) == (
        "g2",
        "Some",
        "directory_group",
    )
    off = events_pb2.WebhookEndpointDisabled(id="we_1", status_reason="410", failing_since_time=NOON)
    assert data("webhook_endpoint.disabled", webhook_endpoint=off) == {
        "object": "webhook_endpoint",
        "id": "we_1",
        "status": "disabled",
        "status_reason": "410",
        "failing_since": "2026-01-15T12:00:00.007Z",
        "directory_id": "directory_1",
        "organization_id": "org_1",
    }
    read = EventSchema.from_dict(json.loads(render_event(event("webhook_endpoint.disabled", webhook_endpoint=off))))
    assert isinstance(read, EventSchemaUnknown), "WorkOS's library keeps what it does not know"
    assert data("dsync.other") == {"directory_id": "directory_1", "organization_id": "org_1"}


def test_a_membership_shows_both_sides_as_they_were() -> None:
    resolved = directory_sync_pb2.ResolvedMembership(user=USER, group=GROUP)
    shown = data("dsync.group.user_added", resolved, membership=MEMBERSHIP)
    assert shown["directory_id"] == "directory_1"
    assert shown["user"]["email"] == "ada@acme.test"
    assert shown["group"]["idp_id"] == "Engineers"


def test_a_membership_of_what_is_gone_shows_the_references() -> None:
    shown = data("dsync.group.user_removed", None, membership=MEMBERSHIP)
    assert shown["user"]["username"] == "ada@acme.test"
    assert shown["user"]["state"] == "inactive"
    assert shown["group"]["name"] == "Engineers"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("dsync.activated", {"directory": DIRECTORY}),
        ("dsync.deleted", {"directory": DIRECTORY}),
        ("dsync.user.created", {"user": USER}),
        ("dsync.user.updated", {"user": USER, "previous_attributes_json": "{}"}),
        ("dsync.user.deleted", {"user": USER}),
        ("dsync.group.created", {"group": GROUP}),
        ("dsync.group.updated", {"group": GROUP}),
        ("dsync.group.deleted", {"group": GROUP}),
        ("dsync.group.user_added", {"membership": MEMBERSHIP}),
        ("dsync.group.user_removed", {"membership": MEMBERSHIP}),
        ("dsync.token.created", {"token": events_pb2.DirectoryToken(id="directory_token_1", suffix="abcd")}),
        ("dsync.token.revoked", {"token": events_pb2.DirectoryToken(id="directory_token_1", suffix="abcd")}),
    ],
)
def test_the_official_models_read_every_event_of_workos(kind: str, fields: dict[str, Any]) -> None:
    read = EventSchema.from_dict(json.loads(render_event(event(kind, **fields))))
    assert not isinstance(read, EventSchemaUnknown)
    assert read.event == kind  # type: ignore[union-attr]


def test_the_official_model_reads_what_is_nested() -> None:
    resolved = directory_sync_pb2.ResolvedMembership(user=USER, group=GROUP)
    shown = render_event(event("dsync.group.user_added", membership=MEMBERSHIP), resolved)
    read = DsyncGroupUserAdded.from_dict(json.loads(shown))
    assert read.data.user.emails is not None
    assert [one.value for one in read.data.user.emails] == ["ada@acme.test", "a@home.test"]


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("okta", "okta scim v2.0"),
        ("entra", "azure scim v2.0"),
        ("google", "gsuite directory"),
        ("jumpcloud", "jump cloud scim v2.0"),
        ("generic", "generic scim v2.0"),
        ("keycloak", "keycloak scim v2.0"),
        ("workday", "workday"),
    ],
)
def test_providers_have_their_names_at_workos(provider: str, name: str) -> None:
    assert directory_type(provider) == name
    assert provider_of(name) == provider
