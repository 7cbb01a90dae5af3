"""Entry point of `dirsync`. The client alone installs without what the command needs."""

import sys


def main() -> None:
    """Runs the command, or says how to install it: exit status 2."""
    try:
        from directorysync.cli import main as command  # noqa: PLC0415 - what it needs may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"", "directorysync", "service", "gateway"}:
            raise
        print("dirsync: the command is not installed; pip install 'directorysync[server]'", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    command()
