"""A user's message says what the user's document and times say, whatever they are."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from directorysync.v1 import resources_pb2 as pb
from service.domain.user import User
from service.rpc import convert
from service.scim.schema import ENTERPRISE_USER

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = TEXTS | st.none() | st.booleans() | st.integers(-5, 5)
EMAILS = st.lists(
    st.fixed_dictionaries({}, optional={"value": VALUES | st.just("a@b.example"), "type": VALUES, "primary": VALUES}),
    max_size=3,
)
NAMES = st.fixed_dictionaries({}, optional={"givenName": VALUES, "familyName": VALUES, "formatted": VALUES})
MANAGERS = st.fixed_dictionaries({}, optional={"value": VALUES, "$ref": VALUES}) | VALUES
ENTERPRISES = st.fixed_dictionaries(
    {}, optional={"department": VALUES, "employeeNumber": VALUES, "manager": MANAGERS, "costCenter": VALUES}
)
DOCUMENTS = st.fixed_dictionaries(
    {"userName": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)},
    optional={
        "externalId": VALUES,
        "active": VALUES,
        "displayName": VALUES,
        "title": VALUES,
        "emails": EMAILS | VALUES,
        "name": NAMES | VALUES,
        ENTERPRISE_USER.id: ENTERPRISES | VALUES,
    },
)
ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))]
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
TIMES = st.builds(
    lambda micros, zone: (FIRST + timedelta(microseconds=micros)).astimezone(zone),
    st.integers(0, (LAST - FIRST) // timedelta(microseconds=1)),
    st.sampled_from(ZONES),
)
TEXT_FIELDS = ("idp_id", "user_name", "email", "first_name", "last_name", "display_name", "job_title")
TEXT_FIELDS += ("department_name", "employee_number", "manager_id")


def time(value: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(value.astimezone(UTC))
    return message


@given(DOCUMENTS, st.integers(0, 2**63 - 1), TIMES, st.none() | TIMES)
def test_a_user_is_what_its_fields_are_one_by_one(
    document: dict[str, Any], version: int, created: datetime, changed: datetime | None
) -> None:
    user = User("d1", "o1", "u1", document, version, created, changed or created)
    expected = pb.DirectoryUser(id="u1", directory_id="d1", organization_id="o1", version=version)
    for name in TEXT_FIELDS:
        setattr(expected, name, user.profile[name] or "")
    for address in user.profile["emails"]:
        expected.emails.add(value=address["value"], type=address["type"], primary=address["primary"])
    expected.state = pb.DIRECTORY_USER_STATE_ACTIVE if user.active else pb.DIRECTORY_USER_STATE_INACTIVE
    expected.create_time.CopyFrom(time(created))
    expected.update_time.CopyFrom(time(changed or created))
    message = convert.user(user)
    assert json.loads(message.raw_attributes_json) == document
    assert json.loads(message.custom_attributes_json) == user.custom_attributes
    expected.raw_attributes_json = message.raw_attributes_json
    expected.custom_attributes_json = message.custom_attributes_json
    assert message.SerializeToString() == expected.SerializeToString()
