"""Which system user runs PostgreSQL, and what it needs to reach its files. PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from directorysync.cli.failure import Failure

SYSTEM_USER = "pgserver"


class AccountError(Failure):
    """PostgreSQL cannot be run by any user; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user that is not root. `switch` is false when it already is the current one."""

    uid: int
    gid: int
    switch: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of subprocess.Popen that run a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        """Gives a directory to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def let_through(self, path: Path) -> list[Path]:
        """Lets this user pass through the directories above `path`, never list them. Returns those it had to open."""
        if not self.switch:
            return []
        closed = [parent for parent in path.parents if not parent.stat().st_mode & stat.S_IXOTH]
        closed = [parent for parent in closed if parent.stat().st_uid != self.uid]
        for parent in closed:
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | stat.S_IXOTH)
        return closed

    def let_read(self, tree: Path, witness: Path) -> None:
        """Lets this user read the installed programs below `tree`, unless it can read `witness` already."""
        if not self.switch or witness.stat().st_mode & 0o005 == 0o005:
            return
        for path in (tree, *tree.rglob("*")):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | 0o004 | (0o001 if mode & stat.S_IXUSR else 0))


def account_for(data: Path) -> Account:
    """The current user, or, for root, the owner of existing data, else `pgserver`, which is made when missing."""
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            owner = data.stat().st_uid
            raise AccountError(f"{data} belongs to user {_name(owner)}: start as that user, or as root")
        return Account(os.geteuid(), os.getegid(), switch=False)
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid, switch=True)
    entry = _system_user()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd is None:
        raise AccountError(f"PostgreSQL does not run as root: make a user `{SYSTEM_USER}`, or start as another user")
    made = subprocess.run(  # noqa: S603 - a fixed command
        [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise AccountError(f"user `{SYSTEM_USER}` cannot be made: {made.stderr.strip()}") from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
