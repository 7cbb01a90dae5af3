"""JSON as programs read it."""

import json

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.cli.output import Format, document, enum_name, show_one, show_table, time_text
from directorysync.v1.events_pb2 import Event
from directorysync.v1.resources_pb2 import (
    Directory,
    DirectoryPolicy,
    DirectoryState,
    DirectoryUser,
    Organization,
    OrganizationDomain,
    OrganizationDomainState,
)


def shown(message: object) -> dict[str, object]:
    """What a program reads back."""
    return json.loads(msgspec.json.encode(document(message)))


def test_names_are_those_of_the_contract_and_int64_are_numbers() -> None:
    found = shown(Directory(id="directory_1", scim_key="k", sequence=2**53 - 1, state="DIRECTORY_STATE_LINKED"))
    assert found["scim_key"] == "k"
    assert found["sequence"] == 2**53 - 1
    assert found["state"] == "DIRECTORY_STATE_LINKED"


def test_empty_fields_are_there_and_unset_times_are_not() -> None:
    found = shown(DirectoryUser(id="directory_user_1"))
    assert (found["email"], found["emails"], found["version"]) == ("", [], 0)
    assert "create_time" not in found


def test_raw_attributes_are_json_exactly_as_stored() -> None:
    text = '{"userName":"ada","n":1.10,"big":12345678901234567890,"nested":\n{"a":null}}'
    encoded = msgspec.json.encode(document(DirectoryUser(raw_attributes_json=text)))
    assert b'"n":1.10' in encoded
    assert b'"big":12345678901234567890' in encoded
    assert b"\n" not in encoded
    assert json.loads(encoded)["raw_attributes"] == json.loads(text)
    assert "raw_attributes_json" not in json.loads(encoded)


def test_documents_inside_an_event_are_json_too() -> None:
    event = Event(user=DirectoryUser(raw_attributes_json='{"active":true}'), previous_attributes_json='{"email":null}')
    found = shown(event)
    assert found["user"]["raw_attributes"] == {"active": True}
    assert found["previous_attributes"] == {"email": None}
    assert shown(Event())["previous_attributes"] is None


def test_line_breaks_inside_strings_are_kept() -> None:
    assert shown(DirectoryUser(raw_attributes_json='{"a":"x\\ny"}'))["raw_attributes"] == {"a": "x\ny"}


@pytest.mark.parametrize(("seconds", "text"), [(0, ""), (1_795_000_000, "2026-11-18T11:06:40Z")], ids=["unset", "set"])
def test_times_are_shown_to_the_second(seconds: int, text: str) -> None:
    assert time_text(Timestamp(seconds=seconds)) == text


def test_enum_values_are_shown_in_short() -> None:
    assert enum_name(DirectoryState, DirectoryState.DIRECTORY_STATE_UNLINKED, "DIRECTORY_STATE_") == "unlinked"


def test_people_read_words_and_programs_the_contract(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one = Directory(
        id="directory_1", state="DIRECTORY_STATE_LINKED", policy=DirectoryPolicy(deactivation="DEACTIVATION_DELETE")
    )
    show_one(one, Format.table)
    table = capsysbinary.readouterr().out.decode()
    assert "linked" in table
    assert '"deactivation":"delete"' in table
    assert "DIRECTORY_STATE" not in table
    show_one(one, Format.json)
    assert json.loads(capsysbinary.readouterr().out)["state"] == "DIRECTORY_STATE_LINKED"


def test_counts_are_shown_where_they_were_counted() -> None:
    counts = {"user_count", "group_count", "inactive_user_count"}
    assert not counts & shown(Directory(id="directory_1")).keys()
    assert not counts & shown(Event(directory=Directory(id="directory_1")))["directory"].keys()
    assert document(Directory(id="directory_1"), counted=True)["user_count"] == 0


def test_lines_of_a_table_end_with_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("A", "B"), [("1", "long " * 100), ("2", "x")])
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [4, 502, 4]


def test_words_stand_for_enum_values_in_lists_too(capsys: pytest.CaptureFixture[str]) -> None:
    verified = OrganizationDomainState.ORGANIZATION_DOMAIN_STATE_VERIFIED
    domain = OrganizationDomain(domain="acme.example", state=verified)
    show_one(Organization(domains=[domain]), Format.table)
    assert '"state":"verified"' in capsys.readouterr().out
