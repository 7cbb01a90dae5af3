"""SCIM as others judge it."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.conformance import suites
from tests.conformance.conftest import MakeDirectory, Scim

ABSENT = pytest.mark.skip(reason=f"the folder of suites {suites.FOLDER} is missing; DIRSYNC_SUITES can name it")
SUITES = suites.names() or [pytest.param("none", marks=ABSENT)]

# The suite counts the cases of /Bulk as missing where a server does not announce it.
WITHOUT_BULK = {"rfc_examples": ["FAIL only 42 of about 49 cases ran"]}


async def announces_bulk(scim: Scim) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = {"Authorization": f"Bearer {scim.token}"}
        answer = await http.get(f"{scim.base_url}/ServiceProviderConfig", headers=headers)
    return bool(answer.json()["bulk"]["supported"])


@pytest.mark.parametrize("name", SUITES)
async def test_suite_finds_no_failure(name: str, make_directory: MakeDirectory, tmp_path: Path) -> None:
    scim = await make_directory(suites.PROVIDERS.get(name, "generic"))
    verdict = await asyncio.to_thread(suites.run, name, scim.base_url, scim.token, tmp_path)
    missing = suites.missing_tool(name)
    if missing:
        pytest.skip(missing)
    assert verdict.counted is not None, f"{name} did not come to its end:\n{verdict.output}"
    known = [] if await announces_bulk(scim) else WITHOUT_BULK.get(name, [])
    unknown = [line for line in verdict.failures if line not in known]
    assert not unknown, "\n".join([f"{name}: {verdict.counted} failed", *unknown])
    assert verdict.counted == len(verdict.failures), verdict.output
    assert verdict.passed
