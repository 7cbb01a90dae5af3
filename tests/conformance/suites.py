"""Suites that others wrote, each a script `run_NAME.sh BASE_URL TOKEN` that prints its failures and then a last line
`NAME: P passed, F failed`. They are not part of this repository: DIRSYNC_SUITES names their folder, else it is
`shared/suites` beside the repository.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("DIRSYNC_SUITES") or REPOSITORY.parent / "shared" / "suites")
# Suites install what they need here once.
CACHE = Path(os.environ.get("SUITES_CACHE") or Path(tempfile.gettempdir()) / "directorysync-suites")
PROVIDERS = {"okta_spec": "okta", "postman_ms": "entra", "postman_ms_inbound": "entra"}
LONGEST_SECONDS = 900

_LAST_LINE = re.compile(r"\w+: (\d+) passed, (\d+) failed\s*")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that a suite installs below CACHE, and the one that installs it."""

    path: str
    installer: str


_NEWMAN = Tool("newman/node_modules/.bin/newman", "npm")
TOOLS = {
    "postman_ms": _NEWMAN,
    "postman_ms_inbound": _NEWMAN,
    "scim2_cli": Tool("scim2cli/bin/scim", "pip"),
    "scim_sanity": Tool("scimsanity/bin/scim-sanity", "pip"),
}


def names() -> list[str]:
    """The suites of the folder; none when it is missing."""
    return sorted(path.stem.removeprefix("run_") for path in FOLDER.glob("run_*.sh"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failures` are the lines that say what failed; `counted` is how many the last line says, None without one."""

    passed: int
    counted: int | None
    failures: list[str]
    output: str


def missing_tool(name: str) -> str | None:
    """What a suite needs and could not install, in words; None when it has everything."""
    tool = TOOLS.get(name)
    if tool is None or (CACHE / tool.path).exists():
        return None
    program = Path(tool.path).name
    if tool.installer == "npm" and shutil.which("npm") is None:
        return f"{program} is missing, and npm, which would install it, too"
    return f"{program} is missing and {tool.installer} could not install it"


def run(name: str, base_url: str, token: str, workplace: Path) -> Verdict:
    """Runs a suite against one empty directory."""
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [FOLDER / f"run_{name}.sh", base_url, token],
        cwd=workplace,
        env=os.environ | {"SUITES_CACHE": str(CACHE)},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    lines = done.stdout.rstrip().splitlines()
    last = _LAST_LINE.fullmatch(lines[-1]) if lines else None
    failures = [line for line in lines if line.startswith("FAIL ")]
    output = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return Verdict(int(last[1]) if last else 0, int(last[2]) if last else None, failures, output)
