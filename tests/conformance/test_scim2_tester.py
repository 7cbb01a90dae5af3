"""The judge that PyPI has, for who does not have the suites."""

import asyncio
from typing import Any

import httpx
import pytest
from scim2_client import BaseSyncSCIMClient
from scim2_client.errors import RequestNetworkException
from scim2_tester import Status, check_server

from tests.conformance import suites
from tests.conformance.conftest import MakeDirectory, Scim

# Title of a check -> why its failure is none of ours.
FALSE_ALARMS: dict[str, str] = {}


class Engine(BaseSyncSCIMClient):
    """scim2-client over httpx; it comes with engines for other HTTP clients only."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__()
        self._http = http

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Sends one request."""
        try:
            return self._http.request(method, url, **options)
        except httpx.RequestError as error:
            raise RequestNetworkException from error

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return str(self._http.build_request("GET", endpoint).url).startswith(str(self._http.base_url))


def failures(scim: Scim) -> tuple[int, list[str]]:
    """How many checks were made, and what failed."""
    headers = {"Authorization": f"Bearer {scim.token}"}
    with httpx.Client(base_url=scim.base_url, headers=headers, timeout=30, trust_env=False) as http:
        results = check_server(Engine(http))
    bad = [one for one in results if one.status in {Status.ERROR, Status.CRITICAL} and one.title not in FALSE_ALARMS]
    return len(results), [f"{one.title}: {one.reason}" for one in bad]


@pytest.mark.skipif("scim2_cli" in suites.names(), reason="the suite scim2_cli asks the same judge")
async def test_scim2_tester_finds_no_failure(make_directory: MakeDirectory) -> None:
    checks, found = await asyncio.to_thread(failures, await make_directory("generic"))
    assert not found, "\n".join(found)
    assert checks > 100
