"""Files and functions stay small enough to be read in one go."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE, MAX_FUNCTION = 400, 45
FILES = sorted(
    path
    for package in ("service", "gateway", "client/directorysync")
    for path in (ROOT / package).rglob("*.py")
    if "directorysync/v1" not in path.as_posix()
)


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or first.lineno) - first.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_file_and_its_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE, f"{path} is longer than {MAX_FILE} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= MAX_FUNCTION, f"{path}:{node.lineno} {node.name} is longer than {MAX_FUNCTION}"


def test_no_catch_all_names() -> None:
    forbidden = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [path for path in FILES if path.stem in forbidden or path.parent.name in forbidden]
