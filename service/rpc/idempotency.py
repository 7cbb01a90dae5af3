"""Metadata `idempotency-key`: a call sent again answers what it answered, and makes nothing new."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from service.app.idempotency import Idempotency
from service.rpc.edge import Call, Method, UnaryHandler

# Other calls of DirectoryAdmin change nothing more when they are sent again.
_MAKES = re.compile(r"/directorysync\.v1\.DirectoryAdmin/(Create\w+|ReplayWebhook|RotateWebhookSecret)")


def answered_once(methods: Iterable[Method], idempotency: Idempotency) -> list[Method]:
    """The methods; those that make something obey the key of a call."""
    return [
        replace(method, unary=_once(method, method.unary, idempotency))
        if method.unary is not None and _MAKES.fullmatch(method.path)
        else method
        for method in methods
    ]


def _once(method: Method, handler: UnaryHandler, idempotency: Idempotency) -> UnaryHandler:
    async def answer(request: Any, call: Call) -> Message:
        if call.idempotency_key is None:
            return await handler(request, call)

        async def act() -> bytes:
            return (await handler(request, call)).SerializeToString()

        # Two requests are the same when their deterministic bytes are.
        asked = method.path.encode() + b"\0" + request.SerializeToString(deterministic=True)
        return method.response.FromString(await idempotency.once(call.caller.id, call.idempotency_key, asked, act))

    return answer
