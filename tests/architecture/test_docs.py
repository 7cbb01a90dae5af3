"""The pages say what is: links lead somewhere, commands and targets exist, tables are complete."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from directorysync.cli import app
from directorysync.cli.first_steps import first_steps
from directorysync.cli.ports import Endpoint
from directorysync.credentials import DEFAULT_ADDRESS, DEFAULT_DATA_DIR
from service.domain.change import ChangeType

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
        ROOT / "tests/providers/README.md",
    ]
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[\s($])(?:\.venv/bin/)?dirsync ((?:[^|)#\\]|\\\n)*)")
# Words of a page that stand for a value.
_ELLIPSIS = "…"


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    found = set()
    for heading in _HEADING.findall(prose(page.read_text())):
        words = re.sub(r"[^\w\s-]", "", _LINK.sub(r"\g<0>", heading).lower())
        found.add(re.sub(r"\s", "-", words.strip()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    assert not broken


def commands(page: Path) -> Iterator[list[str]]:
    """Every `dirsync …` of a page's shell blocks and inline code, as words."""
    text = page.read_text()
    blocks = [code for language, code in _FENCE.findall(text) if language == "sh"]
    for code in [*blocks, *_CODE.findall(prose(text))]:
        for line in code.replace("\\\n", " ").splitlines():
            for found in _COMMAND.findall(line):
                yield shlex.split(found.rstrip(":;. "))


def fault(words: list[str]) -> str | None:
    """Why `dirsync <words>` is no command: an unknown name or option. None: it is one."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while (below := getattr(command, "commands", None)) and rest and not rest[0].startswith(("-", _ELLIPSIS)):
        name = rest.pop(0)
        if name not in below:
            return f"{name} is no command"
        command = below[name]
    options = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"-h", "--help"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
    return f"{unknown[0]} is no option" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    assert not [(words, why) for words in commands(page) if (why := fault(words))]


def test_commands_are_found_at_all() -> None:
    assert ["directory", "create", "--organization", "Acme"] in [words[:4] for words in commands(ROOT / "README.md")]
    assert fault(["directory", "make"])
    assert fault(["directory", "list", "--organisation", "x"])
    assert fault(["events", "tail", "--from", "now"]) is None


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    code = "\n".join([*(code for _, code in _FENCE.findall(text)), *_CODE.findall(prose(text))])
    assert set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)) <= targets


def test_the_readme_shows_what_serve_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [".venv/bin/dirsync", "serve"])
    monkeypatch.setattr(sys, "executable", ".venv/bin/python")
    printed = first_steps(DEFAULT_DATA_DIR, Endpoint.parse(DEFAULT_ADDRESS))
    block = printed.split("\n\n", 1)[1].strip("\n")
    assert f"```sh\n{block}\n```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_in_pages_compiles(page: Path) -> None:
    for language, code in _FENCE.findall(page.read_text()):
        if language == "python":
            compile(code, page.name, "exec")


def test_every_event_type_is_described() -> None:
    rows = re.findall(
        r"^\| (`(?:dsync|webhook_endpoint)\.[^|]+)\|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE
    )
    described = set()
    for row in rows:
        first, *others = _CODE.findall(row)
        described |= {first} | {first[: first.rindex(".")] + other for other in others}
    assert described == {kind.value for kind in ChangeType}


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/adr"
    listed = set(_LINK.findall((folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}
