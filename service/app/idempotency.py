"""Calls that are carried out once, however often they are sent: the effect, the claim of the key and the answer are one
transaction, so that a crash leaves all of them or none.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.app.clock import Clock
from service.domain.errors import ArgumentError, IdempotencyKeyReusedError, OverloadedError
from service.storage import idempotency as table
from service.storage.credentials import CONNECTION_ERRORS
from service.storage.database import Pool
from service.storage.idempotency import Claim
from service.storage.transaction import outer_transaction
from service.telemetry import Telemetry

MAX_KEY = 255
LIFE = timedelta(hours=24)
_FORGET_SECONDS = 3600.0
_FORGET_ROWS = 5_000
_SALT, _NONCE = 16, 12


class Idempotency:
    """At most `width` calls at a time: each holds a connection while its use case may want one more to read with, so
    `width` is less than the pool has. `committed` is called after each commit that had an effect. `run()` must be
    running.
    """

    def __init__(
        self, pool: Pool, *, clock: Clock, telemetry: Telemetry, width: int, committed: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._telemetry = telemetry
        self._places = asyncio.Semaphore(width)
        self._committed = committed

    async def once(self, caller_id: str, key: str, request: bytes, act: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `act` answers, or what it answered when this caller sent this request under this key within 24 h.

        `act` writes by `service.storage.transaction` only. What it raises leaves nothing: the key may be used again.
        ArgumentError for what is no key, IdempotencyKeyReusedError when it was used for another request.
        """
        check_key(key)
        wanted = Claim(caller_id, hashlib.sha256(key.encode()).digest(), hashlib.sha256(request).digest())
        now = self._clock.now()
        async with self._places, outer_transaction(self._pool) as connection:
            if not await table.claim(connection, wanted, now, now - LIFE):
                answered = await table.find(connection, wanted)
                if answered is None:
                    raise OverloadedError("the idempotency key has just expired; try again")
                if answered.request != wanted.request:
                    raise IdempotencyKeyReusedError("the idempotency key was used for another request")
                return _opened(answered.response, key, wanted)
            response = await act()
            await table.answer(connection, wanted, _sealed(response, key, wanted))
        # What the use case announced before the commit was not to be seen yet.
        self._committed()
        return response

    async def run(self) -> None:
        """Until cancelled: forgets answers that are older than 24 h."""
        while True:
            try:
                await table.forget(self._pool, self._clock.now() - LIFE, _FORGET_ROWS)
            except CONNECTION_ERRORS as error:
                self._telemetry.storage_failed("idempotency.forget", error)
            await asyncio.sleep(_FORGET_SECONDS)


def check_key(key: str) -> None:
    """1 to 255 printable ASCII characters."""
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise ArgumentError(
            f"an idempotency key has 1 to {MAX_KEY} printable ASCII characters", field="idempotency-key"
        )


def _cipher(key: str, salt: bytes) -> AESGCM:
    # An answer may hold a secret that is shown once: only who has the idempotency key can read it again.
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"directorysync idempotent answer")
    return AESGCM(derived.derive(key.encode()))


def _sealed(response: bytes, key: str, claim: Claim) -> bytes:
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return salt + nonce + _cipher(key, salt).encrypt(nonce, response, claim.caller_id.encode() + claim.request)


def _opened(stored: bytes, key: str, claim: Claim) -> bytes:
    salt, nonce, text = stored[:_SALT], stored[_SALT : _SALT + _NONCE], stored[_SALT + _NONCE :]
    return _cipher(key, salt).decrypt(nonce, text, claim.caller_id.encode() + claim.request)
