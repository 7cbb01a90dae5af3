"""The description says what there is."""

import httpx

from gateway.rest.openapi.document import document
from gateway.rest.openapi.operations import OPERATIONS
from gateway.rest.openapi.schemas import SCHEMAS
from gateway.rest.routes import ROUTES


def test_every_route_is_described_and_nothing_else() -> None:
    described = {
        (path, method.upper())
        for path, methods in document()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert described == {(route.template, method) for route in ROUTES for method in route.handlers}


def test_operations_have_names_of_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))


def test_every_schema_is_used_and_none_is_missing() -> None:
    text = str(document())
    used = {name for name in SCHEMAS if f"#/components/schemas/{name}'" in text}
    assert used == SCHEMAS.keys()
    for part in text.split("#/components/schemas/")[1:]:
        assert part.partition("'")[0] in SCHEMAS


async def test_it_is_shown_to_anybody(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/openapi.json", headers={"authorization": ""})
    assert answer.status_code == 200
    assert answer.json() == document()
