"""One attempt against a real server: what counts as received, what is kept, and where no connection is made."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.addresses import AddressPolicy
from gateway.config import hosts, networks
from gateway.webhooks.sender import MAX_BODY, Sender
from gateway.webhooks.settings import WebhookSettings
from tests.support.receiver import CUT, HANG, Answer, Receiver

LOOPBACK = AddressPolicy(allow_http=True, networks=networks("127.0.0.0/8"))
QUICK = WebhookSettings(policy=LOOPBACK, connect_seconds=1, total_seconds=0.3)
PUBLIC, PRIVATE = "93.184.216.34", "127.0.0.1"


class Names:
    """A name server: one list of addresses for each question about a name."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(QUICK) as made:
        yield made


async def test_a_request_arrives_as_it_was_given(receiver: Receiver, sender: Sender) -> None:
    outcome = await sender.send(receiver.url("/a%2Fb?c=%20d"), b'{"a":1}', {"webhook-id": "event_1"})
    assert outcome.ok
    assert (outcome.status, outcome.body) == (200, b"ok")
    [request] = receiver.received
    assert (request.path, request.body, request.id) == ("/a%2Fb?c=%20d", b'{"a":1}', "event_1")
    assert request.headers["user-agent"].startswith("directorysync/")


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (Answer(204, body=b""), 204, ""),
        (Answer(500, body=b"broken"), 500, "status"),
        (Answer(410), 410, "status"),
        (Answer(302, headers=(("location", "http://127.0.0.1:1/"),)), 302, "redirect"),
        (HANG, 0, "timeout"),
        (CUT, 0, "protocol"),
        (Answer(slow=5.0), 0, "timeout"),
    ],
)
async def test_answers(receiver: Receiver, sender: Sender, answer: Answer, status: int, error: str) -> None:
    receiver.otherwise = answer
    outcome = await sender.send(receiver.url(), b"{}", {"webhook-id": "event_1"})
    assert (outcome.status, outcome.error) == (status, error)
    assert len(receiver.received) == 1


async def test_of_a_huge_answer_the_beginning_is_read(receiver: Receiver, sender: Sender) -> None:
    receiver.otherwise = Answer(endless=True, body=b"<html>")
    outcome = await sender.send(receiver.url(), b"{}", {"webhook-id": "event_1"})
    assert (outcome.status, outcome.error, len(outcome.body)) == (200, "", MAX_BODY)
    receiver.otherwise = Answer()
    assert (await sender.send(receiver.url(), b"{}", {"webhook-id": "event_2"})).body == b"ok"


async def test_informational_responses_are_passed_over_but_not_without_end(receiver: Receiver) -> None:
    async with Sender(replace(QUICK, total_seconds=60)) as sender:
        receiver.otherwise = Answer(informational=3)
        assert [(await sender.send(receiver.url(), b"{}", {})).status for _ in range(2)] == [200, 200]
        assert receiver.connections == 1
        receiver.otherwise = Answer(informational=10**9)
        outcome = await sender.send(receiver.url(), b"{}", {})
        assert (outcome.status, outcome.error) == (0, "protocol")


async def test_connections_are_used_again_and_may_be_closed_between(receiver: Receiver, sender: Sender) -> None:
    for number in range(5):
        assert (await sender.send(receiver.url(), b"{}", {"webhook-id": f"event_{number}"})).ok
    assert receiver.connections == 1
    receiver.otherwise = Answer(close=True)
    for number in range(5, 10):
        assert (await sender.send(receiver.url(), b"{}", {"webhook-id": f"event_{number}"})).ok
    assert receiver.ids() == [f"event_{number}" for number in range(10)]


async def test_nobody_listens(receiver: Receiver, sender: Sender) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = await sender.send(f"http://127.0.0.1:{taken.getsockname()[1]}/", b"{}", {})
    assert outcome.error == "connect"


async def test_plain_http_where_tls_is_due(receiver: Receiver, sender: Sender) -> None:
    outcome = await sender.send(f"https://127.0.0.1:{receiver.port}/", b"{}", {})
    assert (outcome.status, outcome.error) == (0, "tls")


async def test_a_private_address_is_not_connected_to(receiver: Receiver) -> None:
    async with Sender(WebhookSettings(policy=AddressPolicy(allow_http=True))) as sender:
        for url in (receiver.url(), f"http://localhost:{receiver.port}/"):
            assert (await sender.send(url, b"{}", {})).error == "address_refused"
    assert receiver.connections == 0


async def test_a_name_that_turns_private_is_refused(receiver: Receiver) -> None:
    """DNS rebinding: a good address when it is looked at, a private one when it is connected to."""
    names = Names([PUBLIC], [PRIVATE])
    settings = WebhookSettings(policy=AddressPolicy(allow_http=True), connect_seconds=0.2, total_seconds=0.4)
    async with Sender(settings, names) as sender:
        url = f"http://rebind.example:{receiver.port}/"
        first = await sender.send(url, b"{}", {})
        assert first.error in {"connect", "timeout"}
        assert names.asked == ["rebind.example"], "the address that was checked is the one that is connected to"
    async with Sender(settings, names) as sender:
        assert (await sender.send(url, b"{}", {})).error == "address_refused"
    assert receiver.connections == 0


async def test_only_public_ones_of_several_addresses_are_tried(receiver: Receiver) -> None:
    settings = WebhookSettings(policy=AddressPolicy(allow_http=True), connect_seconds=0.2, total_seconds=0.4)
    async with Sender(settings, Names([PRIVATE, PUBLIC])) as sender:
        outcome = await sender.send(f"http://mixed.example:{receiver.port}/", b"{}", {})
    assert outcome.error in {"connect", "timeout"}
    assert receiver.connections == 0


async def test_an_operator_opens_a_host(receiver: Receiver) -> None:
    policy = AddressPolicy(allow_http=True, hosts=hosts("receiver.internal"))
    async with Sender(WebhookSettings(policy=policy), Names([PRIVATE])) as sender:
        assert (await sender.send(f"http://receiver.internal:{receiver.port}/", b"{}", {})).ok
        assert (await sender.send(f"http://other.internal:{receiver.port}/", b"{}", {})).error == "address_refused"


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Sender(QUICK) as sender:
        assert (await sender.send(receiver.url(), b"{}", {})).ok


async def test_cookies_are_not_kept(receiver: Receiver, sender: Sender) -> None:
    receiver.otherwise = Answer(headers=(("set-cookie", "a=b"),))
    for _ in range(2):
        await sender.send(receiver.url(), b"{}", {"webhook-id": "event_1"})
    assert "cookie" not in receiver.received[1].headers
    await asyncio.sleep(0)
