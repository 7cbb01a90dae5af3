"""`/openapi.json`: the description of this API."""

from gateway.exchange import Answer
from gateway.rest.request import RestRequest, json_answer


async def openapi_json(request: RestRequest) -> Answer:
    """GET: 200, to anybody."""
    del request
    return json_answer(200, {"openapi": "3.1.0"})
