"""One command, one connection: from what was typed to a call, and from its error to a line and an exit code."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from directorysync import credentials, errors
from directorysync.cli.failure import FAILED, INTERRUPTED, UNREACHABLE, USAGE, Failure
from directorysync.cli.output import silence_stdout
from directorysync.client import Client

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Target:
    """What the options before the command say about the connection."""

    address: str | None
    api_key: str | None


def call(context: typer.Context, action: Callable[[Client], Awaitable[_Result]]) -> _Result:
    """Runs `action` with a client. Raises Failure."""
    target = context.find_object(Target) or Target(None, None)
    try:
        connection = credentials.resolve(target.address, target.api_key)
        return asyncio.run(_with_client(connection, action))
    except errors.DirectorySyncError as error:
        raise _failure(error, connection) from None
    except BrokenPipeError:
        silence_stdout()
        raise typer.Exit from None
    except KeyboardInterrupt:
        raise Failure("", INTERRUPTED) from None
    except ValueError as error:
        raise Failure(str(error), USAGE) from None
    except OSError as error:
        raise Failure(f"{error.filename or 'TLS'}: {error.strerror or error}", FAILED) from None


async def _with_client(connection: credentials.Connection, action: Callable[[Client], Awaitable[_Result]]) -> _Result:
    tls = connection.tls if connection.tls is not None else False
    async with Client.connect(connection.address, connection.api_key, tls=tls) as client:
        return await action(client)


def _failure(error: errors.DirectorySyncError, connection: credentials.Connection) -> Failure:
    if isinstance(error, errors.Unavailable | errors.DeadlineExceeded) and not error.reason:
        hint = "is `dirsync serve` running?"
        if connection.tls is not None:
            hint = "is it up, and does it speak TLS there? (DIRSYNC_TLS=off for plaintext)"
        return Failure(f"cannot reach the service at {connection.address}: {hint}", UNREACHABLE)
    if isinstance(error, errors.CredentialsInvalid) and connection.api_key is None:
        return Failure("no API key: set DIRSYNC_API_KEY, or DIRSYNC_DATA_DIR to the directory of `dirsync serve`")
    request = f" (request {error.request_id})" if error.request_id else ""
    exit_code = UNREACHABLE if isinstance(error, errors.Unavailable) else FAILED
    return Failure(f"{error.message}{request}", exit_code)
