"""`dirsync serve` starts, says so, survives what happens to processes, and stops in order."""

import asyncio
import json
import signal
import stat
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from directorysync.cli.postmaster import LockFile
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import subscriptions_pb2
from tests.support.processes import alive, descendants, is_postgres, kill
from tests.support.server import RunningServe, running_serve


async def organizations(server: RunningServe) -> list[str]:
    async with server.client() as client:
        answer = await client.admin.ListOrganizations(admin_pb2.ListOrganizationsRequest())
    return [organization.name for organization in answer.organizations]


async def make_organization(server: RunningServe, name: str) -> None:
    async with server.client() as client:
        await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name=name))


async def test_every_part_says_that_it_is_ready_and_is(server: RunningServe) -> None:
    assert set(server.ready) >= {"postgres", "grpc", "http"}
    assert httpx.get(f"{server.http_url}/healthz").status_code == 200
    assert httpx.get(f"{server.http_url}/readyz").status_code == 200
    async with server.client() as client:
        assert (await client.sync.GetServerInfo(sync_pb2.GetServerInfoRequest())).version


def test_admin_key_is_private(server: RunningServe) -> None:
    assert stat.S_IMODE((server.data_dir / "admin.key").stat().st_mode) == 0o600
    assert len(server.api_key) == 46
    assert server.api_key not in "\n".join([*server.output, *server.logs])


def test_http_url_is_noted_for_the_command(server: RunningServe) -> None:
    assert (server.data_dir / "http.url").read_text().strip() == server.http_url


def test_logs_are_json_lines(server: RunningServe) -> None:
    assert {"event", "level", "timestamp"} <= json.loads(server.logs[0]).keys()


def test_printed_commands_work_as_they_are(server: RunningServe) -> None:
    script = [line for line in server.output if line.startswith("  ")]
    script[-1] += " --no-follow"
    done = subprocess.run(["sh", "-euc", "\n".join(script)], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["userName"] == "ada@example.com"
    assert "dsync.user.created" in [line.get("type") for line in lines[1:]]


def test_second_serve_over_the_same_data_is_refused(server: RunningServe) -> None:
    second = server.dirsync("serve", "--data-dir", str(server.data_dir), check=False)
    assert second.returncode == 1
    assert (
        second.stderr.strip()
        == f"dirsync: {server.data_dir} is in use by another `dirsync serve` (process {server.pid})"
    )


def test_port_of_another_serve_is_refused(server: RunningServe, tmp_path: Path) -> None:
    second = server.dirsync("serve", "--data-dir", str(tmp_path), "--grpc-listen", server.grpc_address, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"dirsync: cannot listen on {server.grpc_address}: ")


def test_bad_setting_is_said_once(tmp_path: Path) -> None:
    server = RunningServe(tmp_path, environ={"DIRSYNC_POOL_SIZE": "many"})
    with pytest.raises(AssertionError, match="dirsync: DIRSYNC_POOL_SIZE must be a whole number") as raised:
        server.start()
    assert str(raised.value).count("DIRSYNC_POOL_SIZE") == 1
    assert server.wait() == 2
    assert LockFile(tmp_path / "postgres").pid() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signal_stops_everything_in_order(server: RunningServe, number: signal.Signals) -> None:
    family = descendants(server.pid)
    kill(server.pid, number)
    assert server.wait() == 0
    assert not any(map(alive, family))
    assert LockFile(server.data_dir / "postgres").pid() is None
    assert "workers_killed" not in "\n".join(server.logs)


async def test_restart_keeps_data_key_and_ports(server: RunningServe) -> None:
    await make_organization(server, "kept by a restart")
    key, address, url = server.api_key, server.grpc_address, server.http_url
    server.restart()
    assert (server.api_key, server.grpc_address, server.http_url) == (key, address, url)
    assert "kept by a restart" in await organizations(server)


@pytest.mark.parametrize("kill_first", [False, True], ids=["stopped", "killed"])
def test_tail_goes_on_through_a_restart(server: RunningServe, kill_first: bool) -> None:
    def make_directory() -> str:
        made = server.dirsync("directory", "create", "--organization", "Tail", "--name", "x", "--output", "json")
        return str(json.loads(made.stdout)["directory"]["id"])

    command = server.command("events", "tail", "--from", "beginning", "--type", "dsync.token.*", "--output", "json")
    first = make_directory()
    with subprocess.Popen(command, env=server.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        events = map(json.loads, tail.stdout)
        seen = [next(event for event in events if event["directory_id"] == first)]
        if kill_first:
            server.kill()
        server.restart()
        second = make_directory()
        seen += [next(events)]
        tail.terminate()
        assert tail.stderr.read() == b""
    assert [event["directory_id"] for event in seen] == [first, second]


@pytest.mark.parametrize(
    "left",
    [{}, {"leave_postgres": True}, {"leave_postgres": True, "leave_workers": True}],
    ids=["all killed", "postgres left", "only the supervisor killed"],
)
async def test_start_after_a_kill_works_and_keeps_what_was_answered(
    server: RunningServe, left: dict[str, bool]
) -> None:
    name = f"kept by a kill {left}"
    await make_organization(server, name)
    server.kill(**left)
    server.restart()
    assert name in await organizations(server)


async def test_key_that_was_made_but_never_stored_is_stored_by_the_next_start(tmp_path: Path) -> None:
    key = "sk_" + "k" * 43
    (tmp_path / "admin.key").write_text(key)
    with running_serve(tmp_path) as server:
        assert server.api_key == key
        assert await organizations(server) == []


async def test_killed_worker_is_replaced(server: RunningServe) -> None:
    first, second = server.worker_pids
    kill(first)
    while len(server.worker_pids) < 2 or first in server.worker_pids:
        time.sleep(0.05)
    assert second in server.worker_pids
    while sum("worker_ready" in line for line in server.logs) < 3:
        time.sleep(0.05)
    await organizations(server)
    assert "worker_died" in "\n".join(server.logs)


async def test_killed_postgres_is_started_again(server: RunningServe) -> None:
    await make_organization(server, "kept by PostgreSQL")
    (postmaster,) = [pid for pid in descendants(server.pid)[:1] if is_postgres(pid)]
    kill(postmaster)
    while httpx.get(f"{server.http_url}/readyz").status_code == 200:
        time.sleep(0.05)
    while httpx.get(f"{server.http_url}/readyz").status_code != 200:
        time.sleep(0.05)
    assert "kept by PostgreSQL" in await organizations(server)


async def test_metrics_are_the_sum_over_workers(server: RunningServe) -> None:
    def calls() -> float:
        lines = httpx.get(f"{server.http_url}/metrics").text.splitlines()
        found = [line for line in lines if line.startswith("directorysync_rpc_total") and "ListOrganizations" in line]
        return sum(float(line.split()[-1]) for line in found)

    before = calls()
    for _ in range(10):
        await organizations(server)
    assert {calls() for _ in range(10)} == {before + 10}


async def test_every_worker_shows_the_lag_of_subscriptions_as_it_is(server: RunningServe) -> None:
    create = subscriptions_pb2.CreateSubscriptionRequest(name="unread")
    get = subscriptions_pb2.GetSubscriptionRequest(subscription="unread")
    async with server.client() as client:
        made = (await client.admin.CreateSubscription(create)).subscription
        server.dirsync("directory", "create", "--organization", "Late", "--provider", "okta", "--name", "HR")
        while not (lag := (await client.admin.GetSubscription(get)).subscription.lag):
            await asyncio.sleep(0.05)
    # Workers read when they start, and every few seconds from then on.
    server.stop()
    server.start()
    wanted = {
        f'directorysync_subscription_lag_events{{id="{made.id}",kind="named"}} {float(lag)}',
        f'directorysync_subscriptions_lag_events{{kind="named"}} {float(lag)}',
        'directorysync_subscriptions{kind="named"} 1.0',
    }

    def shown() -> bool:
        return wanted <= set(httpx.get(f"{server.http_url}/metrics").text.splitlines())

    while not shown():
        await asyncio.sleep(0.1)
    give_up = time.monotonic() + 10
    while not all(shown() for _ in range(10)) and time.monotonic() < give_up:
        await asyncio.sleep(0.1)
    assert all(shown() for _ in range(10))


async def test_database_of_ones_own_is_used(tmp_path: Path, empty_database_url: str) -> None:
    with running_serve(tmp_path, database_url=empty_database_url) as server:
        await make_organization(server, "Acme")
        assert not (tmp_path / "postgres").exists()
        assert server.ready["postgres"].startswith("external")


def test_database_that_is_not_there_is_named(tmp_path: Path, server: RunningServe) -> None:
    url = f"postgresql://dirsync@/none?host={tmp_path}"
    done = server.dirsync("migrate", "--database-url", url, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("dirsync: the database cannot be reached: ")


def test_migrate_says_the_revision(server: RunningServe, empty_database_url: str) -> None:
    done = server.dirsync("migrate", "--database-url", empty_database_url, "--output", "json")
    again = server.dirsync("migrate", "--database-url", empty_database_url, "--output", "json")
    assert json.loads(done.stdout) == json.loads(again.stdout)
    assert json.loads(done.stdout)["revision"]


def test_gateway_can_go_through_its_own_grpc_port(tmp_path: Path) -> None:
    with running_serve(tmp_path, arguments=["--transport", "grpc"]) as server:
        assert httpx.get(f"{server.http_url}/readyz").status_code == 200
        made = json.loads(
            server.dirsync(
                *("directory", "create", "--organization", "Acme", "--name", "Acme", "--output", "json")
            ).stdout
        )
        answer = httpx.post(
            f"{made['scim']['base_url']}/Users",
            headers={"Authorization": f"Bearer {made['scim']['bearer_token']}"},
            json={"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@example.com"},
        )
        assert (answer.status_code, answer.json()["userName"]) == (201, "ada@example.com")
