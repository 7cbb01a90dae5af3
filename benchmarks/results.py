"""Figures of a run: paired rounds, medians, floors, and how they are shown."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

FLOORS = Path(__file__).with_name("floors.toml")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds used by the server's processes and by PostgreSQL's."""

    server: float = 0.0
    postgres: float = 0.0

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.server - other.server, self.postgres - other.postgres)

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.server + other.server, self.postgres + other.postgres)


@dataclass(slots=True)
class Row:
    """One line of the report. `ours` and `limit` hold one figure a round, measured side by side, in `unit`."""

    benchmark: str
    case: str
    unit: str
    ours: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)  # milliseconds
    operations: int = 0
    cpu: Cpu = field(default_factory=Cpu)
    limit_operations: int = 0
    limit_cpu: Cpu = field(default_factory=Cpu)
    wrong: list[str] = field(default_factory=list)
    limit_name: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """Names the row in floors.toml."""
        return f"{self.benchmark}: {self.case}"

    @property
    def ratios(self) -> list[float]:
        """Ours over the limit, round by round."""
        return [ours / limit for ours, limit in zip(self.ours, self.limit, strict=False) if limit]

    @property
    def ratio(self) -> float | None:
        """Median of the paired ratios."""
        return median(self.ratios) if self.ratios else None

    def figures(self) -> dict[str, Any]:
        """Everything that is reported, for JSON. Times in milliseconds."""
        return {
            "benchmark": self.benchmark,
            "case": self.case,
            "unit": self.unit,
            "median": _median(self.ours),
            "limit": _median(self.limit),
            "limit_name": self.limit_name,
            "ratio": self.ratio,
            "ratio_range": [min(self.ratios), max(self.ratios)] if self.ratios else None,
            "p50_ms": percentile(self.latencies, 0.5) if self.latencies else None,
            "p99_ms": percentile(self.latencies, 0.99) if self.latencies else None,
            "operations": self.operations,
            "cpu_ms_per_operation": _per_operation(self.cpu, self.operations),
            "limit_cpu_ms_per_operation": _per_operation(self.limit_cpu, self.limit_operations),
            "rounds": {"ours": self.ours, "limit": self.limit},
            "wrong": self.wrong,
            "note": self.note,
        }


def _per_operation(cpu: Cpu, operations: int) -> dict[str, float] | None:
    return {name: 1000 * used / operations for name, used in asdict(cpu).items()} if operations else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def show(rows: Sequence[Row], console: Console) -> None:
    """One table for each benchmark."""
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        table = Table(title=benchmark, title_justify="left", title_style="bold", pad_edge=False)
        table.add_column("case")
        for name in ("ours", "unit", "limit", "ratio", "(range)", "p50 ms", "p99 ms", "CPU ms", "+ pg", "limit's"):
            table.add_column(name, justify="left" if name == "unit" else "right")
        table.add_column("note")
        for row in rows:
            if row.benchmark == benchmark:
                table.add_row(*_cells(row))
        console.print(table)
        console.print()


def _cells(row: Row) -> list[str]:
    found = row.figures()
    spread, cpu, limit = found["ratio_range"], found["cpu_ms_per_operation"], found["limit_cpu_ms_per_operation"]
    return [
        row.case,
        _number(found["median"]),
        row.unit,
        f"{_number(found['limit'])} {row.limit_name}".strip() if row.limit else "",
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        f"{spread[0]:.2f}–{spread[1]:.2f}" if spread and len(row.ratios) > 1 else "",
        f"{found['p50_ms']:.2f}" if row.latencies else "",
        f"{found['p99_ms']:.2f}" if row.latencies else "",
        f"{cpu['server']:.3f}" if cpu else "",
        f"{cpu['postgres']:.3f}" if cpu else "",
        f"{limit['server'] + limit['postgres']:.3f}" if limit else "",
        "; ".join([*row.wrong[:1], *([row.note] if row.note else [])]),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write_json(rows: Sequence[Row], path: Path, about: Mapping[str, Any]) -> None:
    """All figures of a run in one file."""
    path.write_text(json.dumps({"about": about, "rows": [row.figures() for row in rows]}, indent=1) + "\n")


def below_floor(rows: Sequence[Row], floors: Path = FLOORS) -> list[str]:
    """A sentence for each ratio that misses its floor. Floors of rows that were not measured are passed over."""
    wanted = tomllib.loads(floors.read_text())
    complaints = []
    for row in rows:
        floor = wanted.get(row.key)
        if floor is None or row.ratio is None:
            continue
        if row.ratio < floor.get("at_least", row.ratio):
            complaints.append(f"{row.key}: {row.ratio:.3f} is less than {floor['at_least']}")
        if row.ratio > floor.get("at_most", row.ratio):
            complaints.append(f"{row.key}: {row.ratio:.3f} is more than {floor['at_most']}")
    return complaints
