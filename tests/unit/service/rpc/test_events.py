from hypothesis import given
from hypothesis import strategies as st

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import events_pb2
from service.rpc.events import EventWire


@given(
    st.lists(st.text(max_size=400), max_size=5),
    st.text("abc-_", max_size=300),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_message_is_what_protobuf_would_make(
    texts: list[str], cursor: str, caught_up: bool, started: bool, continues: bool
) -> None:
    wire = EventWire()
    events = [events_pb2.Event(id="event_1", previous_attributes_json=text) for text in texts]
    body = b"".join(wire.frame(event.SerializeToString()) for event in events)
    message = wire.message(body, cursor, caught_up=caught_up, started=started, continues=continues).message
    assert pb.WatchEventsResponse.FromString(message) == pb.WatchEventsResponse(
        events=events, cursor=cursor, caught_up=caught_up, started=started, continues=continues
    )
    assert list(pb.ListEventsResponse.FromString(body).events) == events
