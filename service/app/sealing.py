"""Secrets that must be read again (webhooks sign with them), encrypted at rest under keys of the operator.

Without a key they are stored as they are: whoever reads the database can then sign in this server's name.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from service.domain.errors import ArgumentError

_SEALED = "sealed:"


class Sealing:
    """The first key seals, every key opens; plain texts, stored before there was a key, open as they are."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            detail = "each key is 32 bytes in URL-safe base64"
            raise ArgumentError(detail, field="DIRSYNC_ENCRYPTION_KEYS") from None

    def seal(self, secret: str) -> str:
        """What to store."""
        if self._fernet is None:
            return secret
        return _SEALED + self._fernet.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str | None:
        """The secret; None when no key here opens it."""
        if not stored.startswith(_SEALED):
            return stored
        if self._fernet is None:
            return None
        try:
            return self._fernet.decrypt(stored.removeprefix(_SEALED)).decode()
        except InvalidToken:
            return None
