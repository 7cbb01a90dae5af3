"""An organization is deleted in one call, whatever it has."""

from typing import Any

import grpc
import httpx

from directorysync.v1 import directory_admin_pb2 as pb
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error


async def test_an_organization_is_deleted_with_its_directories_in_one_call(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["DeleteOrganization"] = pb.DeleteOrganizationResponse()
    answer = await rest.delete("/organizations/org_1")
    assert (answer.status_code, answer.json()) == (202, {})
    assert [call.request for call in channel.calls] == [pb.DeleteOrganizationRequest(id="org_1", force=True)]


async def test_a_service_that_knows_no_force_deletes_nothing_and_says_so(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    said = "The organization still has directories; delete them first."
    replies["DeleteOrganization"] = rpc_error(
        grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", said, metadata={"field": "id"}
    )
    answer = await rest.delete("/organizations/org_1")
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, said)
    assert [call.method for call in channel.calls] == ["DeleteOrganization"]
