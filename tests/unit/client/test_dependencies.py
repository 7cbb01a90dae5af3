"""A program that only talks to the service needs gRPC and protobuf, not the server that comes in the same package."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ONLY_DEPENDENCIES = """
import sys
ours = {"directorysync", "grpc", "google", "typing_extensions", "_cython_3_2_8", "cython_runtime"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ours | set(sys.stdlib_module_names):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
CLIENT = "import directorysync, directorysync.mirror, directorysync.subscription, directorysync.sync; print('fine')"
COMMAND = "from directorysync.command import main; main()"


def python(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", ONLY_DEPENDENCIES + program, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_client_needs_nothing_else() -> None:
    found = python(CLIENT)
    assert (found.stdout, found.stderr) == ("fine\n", "")


def test_dependencies_of_the_package_are_those() -> None:
    """What is imported above comes with these three."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=\[]", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"grpcio", "protobuf", "googleapis-common-protos"}


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_command_says_what_is_missing(arguments: list[str]) -> None:
    found = python(COMMAND, *arguments)
    assert found.returncode == 2
    assert found.stderr == "dirsync: the command is not installed; pip install 'directorysync[server]'\n"
