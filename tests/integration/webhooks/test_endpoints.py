"""Webhook endpoints as administrators handle them, against a whole service."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from directorysync.v1 import directory_admin_pb2 as admin
from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem
from service.app.sealing import Sealing
from service.domain.errors import ArgumentError
from tests.integration.webhooks.conftest import World

ENABLED, DISABLED = pb.WEBHOOK_ENDPOINT_STATUS_ENABLED, pb.WEBHOOK_ENDPOINT_STATUS_DISABLED


async def test_an_endpoint_is_made_with_a_secret(world: World) -> None:
    made = await world.endpoint("https://a.example/hook?x=1", description="ours")
    assert made.id.startswith("we_")
    assert len(made.id) == 3 + 26
    [secret] = made.secrets
    assert secret.value.startswith("whsec_")
    assert (made.status, made.status_reason, made.description) == (ENABLED, "", "ours")
    assert await world.get(made.id) == made


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("", "endpoint_url"),
        ("ftp://a.example/", "endpoint_url"),
        ("https://", "endpoint_url"),
        ("https://user:secret@a.example/", "endpoint_url"),
        ("https://a.example/#x", "endpoint_url"),
        ("https://a.example/ä", "endpoint_url"),
        ("https://a.example/ b", "endpoint_url"),
        ("https://a.example:99999/", "endpoint_url"),
        ("https://a.example/" + "x" * 2_048, "endpoint_url"),
        ("/hook", "endpoint_url"),
    ],
)
async def test_urls_that_are_refused(world: World, url: str, field: str) -> None:
    with pytest.raises(Problem) as refused:
        await world.endpoint(url)
    assert (refused.value.reason, refused.value.metadata["field"]) == ("ARGUMENT_INVALID", field)


async def test_types_are_needed(world: World) -> None:
    with pytest.raises(Problem) as refused:
        await world.endpoint("https://types.example/", filter=events_pb2.EventFilter())
    assert refused.value.metadata["field"] == "filter.types"


async def test_types_that_no_event_has_are_refused_by_name(world: World) -> None:
    wrong = events_pb2.EventFilter(types=["dsync.user.created", "dsync.user.create", "user.*", "dsync.group.*"])
    made = await world.endpoint("https://slips.example/")
    attempts = (
        world.endpoint("https://slip.example/", filter=wrong),
        world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=made.id, filter=wrong)),
    )
    for attempt in attempts:
        with pytest.raises(Problem) as refused:
            await attempt
        assert (refused.value.reason, refused.value.metadata["field"]) == ("ARGUMENT_INVALID", "filter.types")
        assert refused.value.detail == "filter.types names no event of this release: `dsync.user.create`, `user.*`"
    assert (await world.get(made.id)).filter == made.filter


async def test_types_of_another_release_stay_until_they_are_taken_out(world: World) -> None:
    made = await world.endpoint("https://older.example/")
    await world.pool.execute("UPDATE webhook_endpoint SET types = '{dsync.later}' WHERE id = $1", made.id)
    wider = events_pb2.EventFilter(types=["dsync.later", "dsync.deleted"])
    request = pb.UpdateWebhookEndpointRequest(id=made.id, filter=wider)
    changed = (await world.call("UpdateWebhookEndpoint", request)).endpoint
    assert [*changed.filter.types] == ["dsync.later", "dsync.deleted"]


async def test_a_url_has_one_endpoint_until_it_is_deleted(world: World) -> None:
    first = await world.endpoint("https://unique.example/")
    with pytest.raises(Problem) as taken:
        await world.endpoint("https://unique.example/")
    assert taken.value.reason == "UNIQUENESS"
    other = await world.endpoint("https://unique.example/other")
    with pytest.raises(Problem) as taken:
        await world.call(
            "UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=other.id, endpoint_url=first.endpoint_url)
        )
    assert taken.value.reason == "UNIQUENESS"
    await world.call("DeleteWebhookEndpoint", pb.DeleteWebhookEndpointRequest(id=first.id))
    again = await world.endpoint("https://unique.example/")
    assert again.id != first.id
    with pytest.raises(Problem) as gone:
        await world.get(first.id)
    assert gone.value.reason == "RESOURCE_NOT_FOUND"


async def test_lists_page_to_and_fro(world: World) -> None:
    made = [(await world.endpoint(f"https://page{number}.example/")).id for number in range(5)]

    async def ids(**fields: Any) -> tuple[list[str], bool]:
        page = await world.call("ListWebhookEndpoints", pb.ListWebhookEndpointsRequest(**fields))
        return [endpoint.id for endpoint in page.endpoints], page.more

    assert await ids(page_size=2, after_id=made[0]) == (made[1:3], True)
    assert await ids(page_size=2, after_id=made[2]) == (made[3:], False)
    assert await ids(page_size=2, before_id=made[4]) == (made[2:4], True)
    assert await ids(page_size=2, after_id=made[4], descending=True) == ([made[3], made[2]], True)
    assert await ids(page_size=2, before_id=made[1], descending=True) == ([made[3], made[2]], True)


async def test_settings_change_one_by_one(world: World) -> None:
    made = await world.endpoint("https://change.example/", description="first")

    async def change(**fields: Any) -> pb.WebhookEndpoint:
        request = pb.UpdateWebhookEndpointRequest(id=made.id, **fields)
        return (await world.call("UpdateWebhookEndpoint", request)).endpoint  # type: ignore[no-any-return]

    changed = await change(filter=events_pb2.EventFilter(types=["dsync.user.*"]))
    assert [*changed.filter.types] == ["dsync.user.*"]
    assert (changed.endpoint_url, changed.description) == (made.endpoint_url, "first")
    changed = await change(enabled=False)
    assert (changed.status, changed.status_reason) == (DISABLED, "disabled by an administrator")
    changed = await change(enabled=True, description="")
    assert (changed.status, changed.status_reason, changed.description) == (ENABLED, "", "")
    assert changed.secrets == made.secrets
    with pytest.raises(Problem) as refused:
        await change(filter=events_pb2.EventFilter(types=["dsync.*"], directory_ids=["directory_none"]))
    assert refused.value.reason == "RESOURCE_NOT_FOUND"


async def test_rotation_overlaps(world: World) -> None:
    made = await world.endpoint("https://rotate.example/")
    [first] = made.secrets

    async def rotate(**fields: Any) -> pb.WebhookEndpoint:
        request = pb.RotateWebhookSecretRequest(id=made.id, **fields)
        return (await world.call("RotateWebhookSecret", request)).endpoint  # type: ignore[no-any-return]

    rotated = await rotate()
    assert [secret.value for secret in rotated.secrets][1:] == [first.value]
    ends = rotated.secrets[1].expire_time.seconds - rotated.secrets[0].create_time.seconds
    assert 86_399 <= ends <= 86_401
    assert not rotated.secrets[0].HasField("expire_time")
    again = await rotate(overlap={"seconds": 60})
    assert len(again.secrets) == 3
    at_once = await rotate(overlap={"seconds": 0})
    assert len(at_once.secrets) == 1
    assert at_once.secrets[0].value not in {secret.value for secret in again.secrets}
    with pytest.raises(Problem) as refused:
        await rotate(overlap={"seconds": 31 * 86_400})
    assert refused.value.metadata["field"] == "overlap"


async def test_what_a_key_of_less_may_not(world: World) -> None:
    request = admin.CreateApiKeyRequest(name="reader", scopes=["read", "watch"])
    reader = (await world.call("CreateApiKey", request)).secret
    dispatcher = (await world.call("CreateApiKey", admin.CreateApiKeyRequest(name="d", scopes=["deliver"]))).secret
    for secret in (reader, dispatcher):
        with pytest.raises(Problem) as refused:
            await world.call("ListWebhookEndpoints", pb.ListWebhookEndpointsRequest(), secret=secret)
        assert refused.value.reason == "SCOPE_MISSING"
    with pytest.raises(Problem) as refused:
        await world.call("ListWebhookTargets", pb.ListWebhookTargetsRequest(), secret=reader)
    assert refused.value.reason == "SCOPE_MISSING"
    await world.call("ListWebhookTargets", pb.ListWebhookTargetsRequest(), secret=dispatcher)


async def test_a_repeated_call_makes_one_endpoint(world: World) -> None:
    request = pb.CreateWebhookEndpointRequest(
        endpoint_url="https://once.example/", filter=events_pb2.EventFilter(types=["dsync.*"])
    )
    first = await world.call("CreateWebhookEndpoint", request, key="key-1")
    assert await world.call("CreateWebhookEndpoint", request, key="key-1") == first


async def test_replays_are_kept(world: World) -> None:
    made = await world.endpoint("https://replay.example/")

    async def replay(**what: Any) -> pb.WebhookReplay:
        request = pb.ReplayWebhookRequest(endpoint_id=made.id, **what)
        return (await world.call("ReplayWebhook", request)).replay  # type: ignore[no-any-return]

    directory = (await world.directory()).directory
    async with world.reader(made) as reader:
        [event] = await reader.events(1)
    assert event.directory_id == directory.id
    one = await replay(event_id=event.id)
    assert one.cursor
    test = await replay(test_event_type="dsync.user.created")
    stretch = await replay(range={"start_time": {"seconds": 1}})
    assert stretch.range.HasField("end_time")
    listed = await world.call("ListWebhookReplays", pb.ListWebhookReplaysRequest(endpoint_id=made.id))
    assert [*listed.replays] == [stretch, test, one]
    for what in ({"event_id": "event_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {"event_id": "nonsense"}):
        with pytest.raises(Problem) as refused:
            await replay(**what)
        assert refused.value.reason in {"RESOURCE_NOT_FOUND", "CURSOR_EXPIRED"}
    with pytest.raises(Problem) as refused:
        await replay(range={"start_time": {"seconds": 5}, "end_time": {"seconds": 5}})
    assert refused.value.metadata["field"] == "range"
    await world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=made.id, enabled=False))
    with pytest.raises(Problem) as refused:
        await replay(test_event_type="dsync.user.created")
    assert refused.value.reason == "ARGUMENT_INVALID"


def test_secrets_are_sealed_under_the_first_key_and_opened_by_each() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Sealing([old]).seal("whsec_x")
    assert "whsec_x" not in sealed
    assert Sealing([new, old]).open(sealed) == "whsec_x"
    assert Sealing([new]).open(sealed) is None
    assert Sealing().open(sealed) is None
    assert Sealing([new]).open("whsec_plain") == "whsec_plain"
    assert Sealing().seal("whsec_x") == "whsec_x"
    with pytest.raises(ArgumentError) as refused:
        Sealing(["short"])
    assert refused.value.metadata["field"] == "DIRSYNC_ENCRYPTION_KEYS"
