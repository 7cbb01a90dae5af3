"""gRPC ignores an option whose name it does not know, without a word."""

from collections.abc import Sequence
from pathlib import Path

import grpc._cython.cygrpc as core
import pytest

from directorysync import client
from gateway import upstream
from service.rpc import server


@pytest.mark.parametrize("options", [server.OPTIONS, client.CHANNEL_OPTIONS, upstream.CHANNEL_OPTIONS])
def test_grpc_knows_every_option(options: Sequence[tuple[str, object]]) -> None:
    names = Path(core.__file__).read_bytes()
    assert [name for name, _ in options if name.encode() + b"\0" not in names] == []
