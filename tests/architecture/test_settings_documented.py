"""docs/operations.md names every setting with its default and bounds, and every metric."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigurationError, from_environment
from service.config import ServiceConfig
from service.domain.errors import ArgumentError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
_SETTING = re.compile(r"\bDIRSYNC(?:_[A-Z]+)+\b")
_ROW = re.compile(r"^\| `(DIRSYNC_[A-Z_]+)`(?: †)? \| ([^|]*) \| ([^|]*) \|", re.MULTILINE)
ROWS = {name: (default.strip(), values.strip()) for name, default, values in _ROW.findall(PAGE)}
_DATABASE = {"DIRSYNC_DATABASE_URL": "postgresql:///nowhere"}


def sources() -> Iterator[Path]:
    for package in ("service", "gateway", "client/directorysync"):
        yield from (path for path in (ROOT / package).rglob("*.py") if "directorysync/v1" not in path.as_posix())


def settings() -> set[str]:
    """Names of all variables that the code speaks of."""
    return {name for path in sources() for name in _SETTING.findall(path.read_text())}


def metrics() -> set[str]:
    """Names of all metrics that the code makes."""
    kinds = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum", "GaugeMetricFamily"}
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in kinds and isinstance(node, ast.Call) and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    found.add(name.value)
    return found


def read(name: str, value: str) -> dict[str, Any]:
    """Every setting of service and gateway as read with one variable set. Raises what they raise."""
    environ = {**_DATABASE, name: value}
    service, gateway = ServiceConfig.from_environment(environ), from_environment(environ)
    return {
        **{f"service.{field}": getattr(service, field) for field in ServiceConfig.__slots__},
        **{f"gateway.{field}": getattr(gateway, field) for field in type(gateway).__slots__},
    }


def bounds(name: str) -> tuple[float, float] | None:
    found = re.fullmatch(r"([\d.]+) to ([\d.]+)", ROWS[name][1])
    return (float(found[1]), float(found[2])) if found else None


BOUNDED = [name for name in ROWS if bounds(name) and name != "DIRSYNC_WORKERS"]


def test_every_setting_has_a_row() -> None:
    assert settings() - set(ROWS) == set()
    assert set(ROWS) - settings() == set()


def test_every_metric_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(directorysync_[a-z_]+)` \|", PAGE, re.MULTILINE))
    assert rows == metrics()
    assert len(rows) > 5


@pytest.mark.parametrize("name", BOUNDED)
def test_bounds_are_those_of_the_code(name: str) -> None:
    found = bounds(name)
    assert found is not None
    low, high = found
    for value in (low, high):
        read(name, f"{value:g}" if value < 1_000 else f"{value:.0f}")
    for value in (low - 1 if low >= 1 else low - 0.001, high + 1):
        with pytest.raises((ArgumentError, ConfigurationError)):
            read(name, f"{value:g}" if abs(value) < 1_000 else f"{value:.0f}")


@pytest.mark.parametrize("name", BOUNDED)
def test_defaults_are_those_of_the_code(name: str) -> None:
    default = ROWS[name][0].strip("`")
    unset = read(name, "")
    assert read(name, default) == unset
    found = bounds(name)
    assert found is not None
    other = found[0] if float(default) != found[0] else found[1]
    assert read(name, f"{other:g}" if other < 1_000 else f"{other:.0f}") != unset, f"{name} changes nothing"
