"""The official client for Node, unchanged, against a running server (tests/node)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.rest.conftest import NewCompany
from tests.support.server import RunningServe

TESTS = Path(__file__).resolve().parents[2] / "node"
OLDEST = 20


def find_node() -> str | None:
    """The node that lies beside the client, else the machine's own."""
    own = TESTS / "node_modules/.bin/node"
    return str(own) if own.exists() else shutil.which("node")


def missing(node: str | None) -> str:
    """What this machine lacks to run it; empty when nothing is missing."""
    if node is None:
        return "node is not installed"
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        return f"node {version} is older than {OLDEST}"
    if not (TESTS / "node_modules/@workos-inc/node").is_dir():
        return "tests/node has no node_modules; `npm ci` there brings them"
    return ""


def test_the_official_client_for_node(server: RunningServe, new_company: NewCompany) -> None:
    node = find_node()
    if reason := missing(node):
        pytest.skip(reason)
    assert node is not None
    company = new_company("Nodes", people=12, members=3)
    doomed = new_company("Doomed")
    host, _, port = server.http_listen.rpartition(":")
    told = {
        "host": host,
        "port": int(port),
        "api_key": server.api_key,
        "organization": company.organization_id,
        "directory": company.directory_id,
        "doomed_directory": doomed.directory_id,
        "group": company.group_id,
        "users": company.users,
        "email": "nodes00@acme.test",
        "scim_url": str(company.scim.base_url).rstrip("/"),
        "scim_token": company.scim.headers["authorization"].removeprefix("Bearer "),
    }
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", "workos.test.js"],
        cwd=TESTS,
        env=os.environ | {"COMPANY": json.dumps(told)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 10" in done.stdout
