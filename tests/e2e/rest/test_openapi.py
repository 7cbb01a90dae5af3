"""The description against a running server: made-up requests, and answers that are what it says."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.rest.openapi.document import document
from tests.e2e.rest.conftest import Company
from tests.support.server import RunningServe

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
schema = schemathesis.openapi.from_dict(document())


@dataclass(frozen=True)
class Known:
    """Ids that exist, by the first segment of a path; what is deleted has one of its own."""

    ids: dict[str, str]
    doomed: dict[str, str]
    query: dict[str, str]


@pytest.fixture(scope="session")
def known(server: RunningServe, company: Company) -> Known:
    headers = {"authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.http_url, headers=headers) as api:

        def make(path: str, **body: Any) -> Any:
            answer = api.post(path, json=body)
            assert answer.status_code in {200, 201, 202}, answer.text
            return answer.json()

        event = api.get("/events", params={"directory_id": company.directory_id}).json()["data"][0]["id"]
        organization = make("/organizations", name="Described", external_id="described")["id"]
        doomed = make("/directories", organization_id=organization, name="Doomed")["directory"]["id"]
        directory = make("/directories", organization_id=organization, name="Changed")["directory"]["id"]
        names = ["one.test", "two.test"]
        domains = [make("/organization_domains", organization_id=organization, domain=name)["id"] for name in names]
        urls = ["https://one.test/", "https://two.test/"]
        hooks = [make("/webhook_endpoints", endpoint_url=url, events=["dsync.deleted"])["id"] for url in urls]
        return Known(
            ids={
                "directories": directory,
                "directory_users": company.users[0],
                "directory_groups": company.group_id,
                "organizations": organization,
                "organization_domains": domains[0],
                "webhook_endpoints": hooks[0],
            },
            doomed={
                "directories": doomed,
                "organizations": make("/organizations", name="Doomed")["id"],
                "organization_domains": domains[1],
                "webhook_endpoints": hooks[1],
            },
            query={
                "directory": company.directory_id,
                "group": company.group_id,
                "user": company.users[0],
                "organization_id": company.organization_id,
                "after": event,
            },
        )


def send(case: schemathesis.Case, server: RunningServe) -> None:
    public = case.path.startswith(("/portal/launch", "/openapi")) or case.path == "/portal"
    headers = {} if public else {"authorization": f"Bearer {server.api_key}"}
    response = case.call(base_url=server.http_url, headers=headers, allow_redirects=False, timeout=30)
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@BOUNDED
def test_whatever_is_asked_is_answered_as_described(case: schemathesis.Case, server: RunningServe) -> None:
    send(case, server)


@schema.include(path_regex=r"\{id\}").parametrize()
@BOUNDED
def test_what_exists_is_answered_as_described(case: schemathesis.Case, server: RunningServe, known: Known) -> None:
    segment = case.path.split("/")[1]
    case.path_parameters["id"] = (known.doomed if case.method == "DELETE" else known.ids).get(segment, "x")
    send(case, server)


@schema.include(method="GET", path_regex="^/(directory_users|directory_groups|events|directories)$").parametrize()
@BOUNDED
def test_lists_of_what_exists_are_as_described(case: schemathesis.Case, server: RunningServe, known: Known) -> None:
    described = {parameter.name for parameter in case.operation.query}
    case.query = {**(case.query or {}), **{name: known.query[name] for name in described & known.query.keys()}}
    if case.path != "/events":
        case.query.pop("after", None)
        case.query.pop("before", None)
    if case.path.startswith("/directory_"):
        case.query.pop("group", None)
        case.query.pop("user", None)
    send(case, server)


def test_the_server_shows_what_was_tested(server: RunningServe) -> None:
    assert httpx.get(f"{server.http_url}/openapi.json").json() == document()
