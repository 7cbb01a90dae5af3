"""A reserved port belongs to the workers of one supervisor."""

import select
import socket

import pytest

from directorysync.cli.ports import Endpoint, PortError, reserved


def listener(port: int) -> socket.socket:
    """What a worker opens."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen()
    return sock


def test_port_0_becomes_a_free_port_that_workers_share() -> None:
    with reserved(Endpoint("127.0.0.1", 0), patience=0) as endpoint:
        assert endpoint.port > 0
        with listener(endpoint.port) as one, listener(endpoint.port) as two, socket.socket() as client:
            client.connect(("127.0.0.1", endpoint.port))
            readable, _, _ = select.select([one, two], [], [], 10)
            assert len(readable) == 1
            readable[0].accept()[0].close()


def test_second_reservation_of_a_port_is_refused() -> None:
    with (
        reserved(Endpoint("127.0.0.1", 0), patience=0) as endpoint,
        pytest.raises(PortError, match=rf"cannot listen on 127\.0\.0\.1:{endpoint.port}: Address already in use"),
        reserved(endpoint, patience=0),
    ):
        pytest.fail("it is taken")


def test_port_of_another_program_that_would_share_it_is_refused() -> None:
    with listener(0) as other:
        taken = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(PortError), reserved(taken, patience=0):
            pytest.fail("it is taken")


def test_port_can_be_reserved_again_right_after_use() -> None:
    with (
        reserved(Endpoint("127.0.0.1", 0), patience=0) as endpoint,
        listener(endpoint.port) as server,
        socket.create_connection(("127.0.0.1", endpoint.port)),
    ):
        server.accept()[0].close()
    with reserved(endpoint, patience=0) as again:
        assert again == endpoint


@pytest.mark.parametrize(
    ("text", "endpoint", "shown", "reachable"),
    [
        ("127.0.0.1:8080", Endpoint("127.0.0.1", 8080), "127.0.0.1:8080", "127.0.0.1:8080"),
        ("[::1]:80", Endpoint("::1", 80), "[::1]:80", "[::1]:80"),
        (":80", Endpoint("0.0.0.0", 80), "0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", Endpoint("::", 80), "[::]:80", "[::1]:80"),
        ("localhost:0", Endpoint("localhost", 0), "localhost:0", "localhost:0"),
    ],
)
def test_addresses_are_read_and_shown(text: str, endpoint: Endpoint, shown: str, reachable: str) -> None:
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == shown
    assert str(endpoint.reachable()) == reachable


@pytest.mark.parametrize("text", ["", "8080", "host", "host:", "host:65536", "::1:80", "a:b:1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Endpoint.parse(text)


def test_host_that_does_not_exist_is_said_at_once() -> None:
    with (
        pytest.raises(PortError, match=r"cannot listen on no\.such\.host\.invalid:80: "),
        reserved(Endpoint("no.such.host.invalid", 80), patience=3600),
    ):
        pytest.fail("it does not exist")
