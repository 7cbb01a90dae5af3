"""Every noun of the `dirsync` command against a real service."""

import json
import os
import subprocess
from typing import Any

import httpx
import pytest

from tests.support.server import RunningServe

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"


def document(server: RunningServe, *arguments: str) -> dict[str, Any]:
    """The one JSON document of a command."""
    found = json.loads(server.dirsync(*arguments, "--output", "json").stdout)
    assert isinstance(found, dict)
    return found


def lines(server: RunningServe, *arguments: str) -> list[dict[str, Any]]:
    """The JSON objects of a list."""
    return [json.loads(line) for line in server.dirsync(*arguments, "--output", "json").stdout.splitlines()]


class Directory:
    """A directory and its SCIM side."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.id: str = made["directory"]["id"]
        self.made = made
        self._scim = made["scim"]

    def post(self, resource_type: str, **attributes: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._scim['bearer_token']}"}
        answer = httpx.post(f"{self._scim['base_url']}/{resource_type}", headers=headers, json=attributes)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def directory(_serve: RunningServe) -> Directory:
    """A directory with two users, one of them in a group."""
    if not _serve.running:
        _serve.start()
    made = Directory(
        document(_serve, "directory", "create", "--organization", "Acme", "--provider", "okta", "--name", "Acme Okta")
    )
    ada = made.post("Users", schemas=[USER_SCHEMA], userName="ada@example.com", externalId="00u1", nickName="Countess")
    made.post("Users", schemas=[USER_SCHEMA], userName="bob@example.com", active=False)
    made.post("Groups", schemas=[GROUP_SCHEMA], displayName="Engineering", members=[{"value": ada["id"]}])
    return made


def test_directory_create_answers_with_what_the_provider_is_given(server: RunningServe, directory: Directory) -> None:
    assert directory.made.keys() == {"directory", "scim"}
    assert directory.made["directory"]["provider"] == "okta"
    key = directory.made["directory"]["scim_key"]
    assert directory.made["scim"].keys() == {"base_url", "bearer_token"}
    assert directory.made["scim"]["base_url"] == f"{server.http_url}/scim/v2/{key}"


def test_directory_create_uses_the_http_url_it_is_given(server: RunningServe) -> None:
    arguments = ("directory", "create", "--organization", "Acme", "--name", "Other", "--http-url", "https://s.example/")
    made = document(server, *arguments)
    assert made["scim"]["base_url"] == f"https://s.example/scim/v2/{made['directory']['scim_key']}"
    assert made["directory"]["provider"] == "generic"


def test_organization_is_made_once_and_found_by_name_and_id(server: RunningServe) -> None:
    first = document(server, "directory", "create", "--organization", "Globex", "--name", "One")
    second = document(server, "directory", "create", "--organization", "Globex", "--name", "Two")
    organization = first["directory"]["organization_id"]
    third = document(server, "directory", "create", "--organization", organization, "--name", "Three")
    assert {made["directory"]["organization_id"] for made in (first, second, third)} == {organization}
    assert [found["id"] for found in lines(server, "organization", "list", "--name", "Globex")] == [organization]


def test_an_organization_is_deleted_with_its_directories_only_when_asked(server: RunningServe) -> None:
    made = document(server, "directory", "create", "--organization", "Leaving", "--name", "One")["directory"]
    organization = made["organization_id"]
    refused = server.dirsync("organization", "delete", organization, check=False)
    assert (refused.returncode, "force" in refused.stderr) == (1, True)
    assert document(server, "directory", "get", made["id"])["id"] == made["id"]
    gone = {"id": organization, "deleted": True}
    assert document(server, "organization", "delete", organization, "--force") == gone
    assert lines(server, "organization", "list", "--name", "Leaving") == []
    assert server.dirsync("directory", "get", made["id"], check=False).returncode == 1


def test_unknown_organization_id_is_an_error_not_a_name(server: RunningServe) -> None:
    unknown = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    done = server.dirsync("directory", "create", "--organization", unknown, "--name", "x", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert lines(server, "organization", "list", "--name", unknown) == []


def test_name_of_two_organizations_is_refused(server: RunningServe) -> None:
    ids = [document(server, "organization", "create", "--name", "Twin")["id"] for _ in range(2)]
    done = server.dirsync("directory", "create", "--organization", "Twin", "--name", "x", check=False)
    assert done.returncode == 1
    assert done.stderr == f"dirsync: 2 organizations are called `Twin`; give the id: {', '.join(ids)}\n"


def test_directories_are_listed_shown_changed_and_deleted(server: RunningServe, directory: Directory) -> None:
    assert directory.id in [found["id"] for found in lines(server, "directory", "list")]
    shown = document(server, "directory", "get", directory.id)
    assert (shown["user_count"], shown["group_count"]) == (2, 1)
    gone = document(server, "directory", "create", "--organization", "Acme", "--name", "Gone")["directory"]["id"]
    assert document(server, "directory", "update", gone, "--name", "Going", "--disable")["name"] == "Going"
    assert document(server, "directory", "get", gone)["state"] == "DIRECTORY_STATE_DISABLED"
    assert document(server, "directory", "delete", gone) == {"id": gone, "deleted": True}
    missing = server.dirsync("directory", "get", gone, check=False)
    assert missing.returncode == 1
    assert missing.stderr.startswith("dirsync: ")
    assert missing.stderr.count("\n") == 1


def test_users_are_listed_shown_and_found(server: RunningServe, directory: Directory) -> None:
    ada, bob = lines(server, "user", "list", "--directory", directory.id)
    assert (ada["user_name"], bob["user_name"]) == ("ada@example.com", "bob@example.com")
    assert [
        user["id"] for user in lines(server, "user", "list", "--directory", directory.id, "--state", "inactive")
    ] == [bob["id"]]
    shown = document(server, "user", "get", ada["id"])
    assert shown["raw_attributes"]["nickName"] == "Countess"
    assert shown["idp_id"] == "00u1"
    for option, value in (("--user-name", "ADA@example.com"), ("--idp-id", "00u1")):
        assert ada["id"] in [user["id"] for user in lines(server, "user", "find", option, value)]
    assert [group["name"] for group in lines(server, "user", "groups", ada["id"])] == ["Engineering"]


def test_groups_and_members_are_listed(server: RunningServe, directory: Directory) -> None:
    (group,) = lines(server, "group", "list", "--directory", directory.id)
    assert document(server, "group", "get", group["id"])["name"] == "Engineering"
    (member,) = lines(server, "group", "members", group["id"])
    assert (member["member_name"], member["member_type"]) == ("ada@example.com", "MEMBER_TYPE_USER")


def test_users_and_members_are_shown_as_they_were(server: RunningServe) -> None:
    made = document(server, "directory", "create", "--organization", "Acme", "--name", "Past", "--provider", "okta")
    directory, scim = Directory(made), made["scim"]
    user = directory.post("Users", schemas=[USER_SCHEMA], userName="then", title="Before")
    group = directory.post("Groups", schemas=[GROUP_SCHEMA], displayName="Past", members=[{"value": user["id"]}])
    number = str(document(server, "directory", "get", directory.id)["sequence"])
    headers = {"Authorization": f"Bearer {scim['bearer_token']}"}
    httpx.delete(f"{scim['base_url']}/Users/{user['id']}", headers=headers).raise_for_status()
    past = document(server, "user", "get", user["id"], "--directory", directory.id, "--as-of", number)
    assert past["job_title"] == "Before"
    members = lines(server, "group", "members", group["id"], "--as-of", number)
    assert [one["member_name"] for one in members] == ["then"]
    assert lines(server, "group", "members", group["id"]) == []
    assert server.dirsync("user", "get", user["id"], "--as-of", number, check=False).returncode == 1
    shown = server.dirsync("directory", "get", directory.id).stdout
    assert "linked" in shown
    assert "DIRECTORY_STATE" not in shown


def test_tokens_open_a_directory_until_they_are_revoked(server: RunningServe, directory: Directory) -> None:
    url = f"{directory.made['scim']['base_url']}/ServiceProviderConfig"
    made = document(server, "token", "create", "--directory", directory.id, "--expires", "90d")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx.get(url, headers=headers).status_code == 200
    assert made["token"]["id"] in [token["id"] for token in lines(server, "token", "list", "--directory", directory.id)]
    assert made["secret"] not in server.dirsync("token", "list", "--directory", directory.id).stdout
    document(server, "token", "revoke", made["token"]["id"], "--directory", directory.id)
    assert httpx.get(url, headers=headers).status_code == 401


def test_api_keys_reach_what_they_were_made_for(server: RunningServe, directory: Directory) -> None:
    made = document(server, "apikey", "create", "--name", "reader", "--scope", "read", "--directory", directory.id)

    def as_reader(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = server.environ | {"DIRSYNC_API_KEY": made["secret"]}
        return subprocess.run(server.command(*arguments), env=environ, check=False, capture_output=True, text=True)

    assert as_reader("user", "list", "--directory", directory.id).returncode == 0
    assert as_reader("organization", "list").returncode == 1
    assert made["api_key"]["id"] in [key["id"] for key in lines(server, "apikey", "list")]
    document(server, "apikey", "revoke", made["api_key"]["id"])
    assert as_reader("user", "list", "--directory", directory.id).returncode == 1


def test_tables_show_whole_ids_without_a_terminal(server: RunningServe, directory: Directory) -> None:
    table = server.dirsync("directory", "list").stdout
    assert table.splitlines()[0].split() == ["ID", "NAME", "PROVIDER", "STATE", "EVENTS", "ORGANIZATION", "CREATED"]
    assert directory.id in table


def test_events_are_tailed_and_resumed_behind_any_line(server: RunningServe, directory: Directory) -> None:
    tail = ("events", "tail", "--directory", directory.id, "--no-follow")
    events = lines(server, *tail, "--from", "beginning")
    assert [event["directory_sequence"] for event in events] == list(range(1, len(events) + 1))
    assert "dsync.group.user_added" in [event["type"] for event in events]
    ends = [number for number, event in enumerate(events) if event["transaction_end"]]
    for end in ends:
        rest = lines(server, *tail, "--from", events[end]["cursor"])
        assert [event["id"] for event in rest] == [event["id"] for event in events[end + 1 :]]
    assert lines(server, *tail, "--from", "now") == []
    assert "ada@example.com" in server.dirsync(*tail).stdout


def test_unreachable_service_is_exit_code_3(server: RunningServe) -> None:
    environ = server.environ | {"DIRSYNC_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(server.command("directory", "list"), env=environ, check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr == "dirsync: cannot reach the service at 127.0.0.1:1: is `dirsync serve` running?\n"


def test_missing_and_wrong_keys_are_told_apart(server: RunningServe) -> None:
    environ = {name: value for name, value in server.environ.items() if name != "DIRSYNC_DATA_DIR"}
    for extra, words in (({}, "no API key: set DIRSYNC_API_KEY"), ({"DIRSYNC_API_KEY": "sk_wrong"}, "")):
        done = subprocess.run(
            server.command("directory", "list"),
            env=environ | extra,
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"dirsync: {words}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("directory", "create"),
        ("directory", "update", "directory_1"),
        ("user", "find"),
        ("user", "find", "--email", "a", "--idp-id", "b"),
        ("user", "list", "--directory", "x", "--state", "tired"),
        ("token", "create", "--directory", "x", "--expires", "yesterday"),
        ("serve", "--grpc-listen", "nowhere"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(server: RunningServe, arguments: tuple[str, ...]) -> None:
    done = server.dirsync(*arguments, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr


def test_version_and_completion(server: RunningServe) -> None:
    assert server.dirsync("version").stdout.startswith("dirsync ")
    environ = os.environ | {"_DIRSYNC_COMPLETE": "complete_bash", "COMP_WORDS": "dirsync dir", "COMP_CWORD": "1"}
    program = "import sys; sys.argv = ['dirsync']; from directorysync.cli import main; main()"
    done = subprocess.run(
        [*server.command()[:1], "-c", program], env=environ, check=False, capture_output=True, text=True
    )
    assert done.stdout.split() == ["directory"]


def test_status_is_one_screen(server: RunningServe, directory: Directory) -> None:
    found = document(server, "status")
    assert found["ready"] is True
    assert found["server_version"] == found["command_version"]
    assert found["log"]["events"] is not None
    assert found["directories"]["total"] >= 1
    assert found["directories"]["linked"] >= 1
    shown = server.dirsync("status").stdout
    assert all(word in shown for word in ("address", found["epoch"], "ready", "yes", "linked"))
    key = document(server, "apikey", "create", "--name", "reader", "--scope", "read")["secret"]
    narrow = json.loads(server.dirsync("--api-key", key, "status", "--output", "json").stdout)
    assert narrow["log"] is None
    assert narrow["directories"] == found["directories"]


def test_an_organization_is_changed_and_found(server: RunningServe, directory: Directory) -> None:
    made = document(
        server,
        "organization",
        "create",
        "--name",
        "Changed",
        "--domain",
        "Changed.example",
        "--metadata",
        "plan=pro",
    )
    assert (made["domains"][0]["domain"], made["metadata"]) == ("changed.example", {"plan": "pro"})
    changed = document(
        server, "organization", "update", made["id"], "--verified-domain", "changed.example", "--metadata", "plan="
    )
    assert (changed["domains"][0]["state"], changed["metadata"]) == ("ORGANIZATION_DOMAIN_STATE_VERIFIED", {})
    assert changed["domains"][0]["id"] == made["domains"][0]["id"]
    assert [found["id"] for found in lines(server, "organization", "list", "--search", "CHANGED")] == [made["id"]]
    assert [found["id"] for found in lines(server, "organization", "list", "--domain", "changed.example")] == [
        made["id"]
    ]
    assert document(server, "organization", "update", "Changed", "--no-domains")["domains"] == []


def test_an_unknown_provider_is_questioned(server: RunningServe, directory: Directory) -> None:
    shown = server.dirsync("directory", "create", "--organization", "Acme", "--provider", "oktta", "--name", "Slip")
    assert "Did you mean `okta`?" in shown.stderr
