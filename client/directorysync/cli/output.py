"""Results on standard output: tables for people, JSON for programs."""

import asyncio
import os
import re
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

_Element = TypeVar("_Element", bound=Message)
Column = tuple[str, Callable[[Any], str]]

# JSON texts inside a message, shown as what they are under the name without `_json`.
_EMBEDDED = ("raw_attributes_json", "custom_attributes_json", "previous_attributes_json")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PIPE_WIDTH = 10_000
# Set by GetDirectory only: elsewhere a directory would be shown as an empty one.
_COUNTS = ("user_count", "group_count", "inactive_user_count")


class Format(StrEnum):
    """Values of `--output`."""

    table = "table"
    json = "json"


DocumentOutput = Annotated[
    Format, typer.Option("--output", "-o", help="`json`: one JSON document, names as in the contract.")
]
ListOutput = Annotated[
    Format, typer.Option("--output", "-o", help="`json`: one JSON object a line, names as in the contract.")
]


def document(message: Message, *, counted: bool = False) -> dict[str, Any]:
    """Protobuf's JSON form with snake_case names, int64 as numbers, and embedded JSON as JSON. Fields that are empty
    are there; times that are unset are not, nor are counts of a directory that was not `counted`.
    """
    found = MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        unquote_int64_if_possible=True,
    )
    _embed(found)
    if not counted:
        _drop_counts(found)
    return found


def show_json(value: object) -> None:
    """One document: on one line for programs, indented on a terminal."""
    text = msgspec.json.encode(value)
    _write(msgspec.json.format(text, indent=2) if sys.stdout.isatty() else text)


def show_json_line(value: object) -> None:
    """One object on one line, written at once."""
    _write(msgspec.json.encode(value))


def show_text(line: str) -> None:
    """One line for people, written at once."""
    _write(line.encode(errors="replace"))


def show_one(message: Message, output: Format, *, counted: bool = False) -> None:
    """One resource: its JSON document, or its fields below each other."""
    found = document(message, counted=counted)
    if output is Format.json:
        show_json(found)
        return
    _say(message, found)
    rows = [
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in found.items()
        if value not in ("", [], None)
    ]
    show_table(("", ""), rows, header=False)


async def show_list(elements: AsyncIterator[_Element], columns: Sequence[Column], output: Format) -> None:
    """Resources as they arrive, or as one table."""
    if output is Format.json:
        async for element in elements:
            show_json_line(document(element))
        return
    with working():
        rows = [[shown(element) for _, shown in columns] async for element in elements]
    show_table([name for name, _ in columns], rows)


def show_table(names: Sequence[str], rows: Iterable[Sequence[str]], *, header: bool = True) -> None:
    """Columns as wide as they need to be where nobody looks at the width."""
    table = Table(box=None, show_header=header, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if sys.stdout.isatty():
        Console(highlight=False, markup=False).print(table)
        return
    console = Console(width=_PIPE_WIDTH, highlight=False, markup=False)
    with console.capture() as shown:
        console.print(table)
    # The last column is padded to the width of its longest line.
    for line in shown.get().splitlines():
        show_text(line.rstrip())


def enum_name(kind: Any, value: int, prefix: str) -> str:
    """`DIRECTORY_STATE_LINKED` as `linked`."""
    return str(kind.Name(value)).removeprefix(prefix).lower()


def time_text(time: Timestamp) -> str:
    """RFC 3339 to the second; empty for a time that is unset."""
    return time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ") if time.seconds or time.nanos else ""


@contextmanager
def working(what: str = "working") -> Iterator[None]:
    """A spinner on standard error while the block lasts, if somebody looks at it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


async def stdout_unread() -> None:
    """Returns when standard output is a pipe that nobody reads any more. A program that waits for something to write
    would not notice before it comes.
    """
    descriptor = sys.stdout.fileno()
    loop, unread = asyncio.get_running_loop(), asyncio.Event()
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        # Nothing can be read from this end: being readable means that the other one was closed.
        loop.add_reader(descriptor, unread.set)
    try:
        await unread.wait()
    finally:
        loop.remove_reader(descriptor)


def silence_stdout() -> None:
    """After a broken pipe: the interpreter must not fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _say(message: Message, found: dict[str, Any]) -> None:
    """Put words in place of the names of enum values, for people: `linked`, not `DIRECTORY_STATE_LINKED`."""
    for field in message.DESCRIPTOR.fields:
        value = found.get(field.name)
        if field.enum_type is not None and isinstance(value, str):
            prefix = _HUMP.sub("_", field.enum_type.name).upper() + "_"
            word = value.removeprefix(prefix).lower()
            found[field.name] = "" if word == "unspecified" else word
        elif isinstance(value, dict) and isinstance(inner := getattr(message, field.name), Message):
            _say(inner, value)
        elif isinstance(value, list) and field.message_type is not None:
            for each, shown in zip(getattr(message, field.name), value, strict=True):
                _say(each, shown)


def _embed(found: dict[str, Any]) -> None:
    for name in _EMBEDDED:
        if name in found:
            text = found.pop(name)
            found[name.removesuffix("_json")] = _as_json(text)
    for value in found.values():
        if isinstance(value, dict):
            _embed(value)


def _drop_counts(found: dict[str, Any]) -> None:
    for name in _COUNTS:
        found.pop(name, None)
    for value in found.values():
        if isinstance(value, dict):
            _drop_counts(value)


def _as_json(text: str) -> msgspec.Raw | None:
    """The text itself, so that no number changes its digits; on one line, as line breaks in JSON are never data."""
    return msgspec.Raw(text.replace("\r", " ").replace("\n", " ").encode()) if text else None
