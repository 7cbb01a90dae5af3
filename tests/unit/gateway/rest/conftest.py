"""The REST API over a channel that answers by itself."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.conftest import MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel

ROOT = "http://gateway.test"


@pytest.fixture
def rest(make_client: MakeClient) -> httpx.AsyncClient:
    client = make_client()
    client.base_url = httpx.URL(ROOT)
    return client


@pytest.fixture
def replies(channel: FakeChannel) -> dict[str, Any]:
    return channel.replies
