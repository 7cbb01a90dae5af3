"""`/Bulk` over HTTP: one call upstream, one BulkResponse."""

import httpx

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.unit.gateway.fake_upstream import FakeChannel

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


async def test_each_operation_is_answered_with_its_status(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    made = pb.ResourceDocument(id="u1", etag='W/"1"', location="http://gateway.test/Users/u1")
    channel.replies["BulkResources"] = pb.BulkResourcesResponse(
        results=[
            pb.BulkResult(method="POST", bulk_id="a", resource=made),
            pb.BulkResult(method="DELETE", resource=made),
            pb.BulkResult(method="POST", bulk_id="b", error_reason="UNIQUENESS", error_message="the name is taken"),
        ]
    )
    answer = await client.post("/Bulk", content=b'{"Operations":[]}')
    assert answer.status_code == 200
    assert channel.last.request.bulk_json == '{"Operations":[]}'
    assert answer.json() == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": [
            {"method": "POST", "bulkId": "a", "version": 'W/"1"', "location": made.location, "status": "201"},
            {"method": "DELETE", "location": made.location, "status": "204"},
            {
                "method": "POST",
                "bulkId": "b",
                "status": "409",
                "response": {
                    "schemas": [ERROR],
                    "status": "409",
                    "scimType": "uniqueness",
                    "detail": "the name is taken",
                },
            },
        ],
    }
