"""An admin key that the operator chose, from a variable or from a file such as a mounted Kubernetes Secret."""

import re
from collections.abc import Mapping
from pathlib import Path

from directorysync.cli.failure import USAGE, Failure

_KEY = re.compile(r"sk_[A-Za-z0-9_-]{43}")
_VARIABLE, _FILE = "DIRSYNC_ADMIN_KEY", "DIRSYNC_ADMIN_KEY_FILE"


def given_admin_key(environ: Mapping[str, str]) -> str | None:
    """The key of DIRSYNC_ADMIN_KEY, or of the file that DIRSYNC_ADMIN_KEY_FILE names; None when neither is set.

    Raises Failure, which never shows what was given.
    """
    key, path = environ.get(_VARIABLE, ""), environ.get(_FILE, "")
    if key and path:
        raise Failure(f"{_VARIABLE} and {_FILE} are both set: give one", USAGE)
    name = _FILE if path else _VARIABLE
    if path:
        try:
            key = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not ASCII"
            raise Failure(f"{_FILE}: {path}: {reason}", USAGE) from None
    if not key and not path:
        return None
    if not _KEY.fullmatch(key):
        raise Failure(f"{name} is not `sk_` and 43 letters, digits, `-` or `_`", USAGE)
    return key
