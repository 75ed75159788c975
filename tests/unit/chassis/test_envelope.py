"""The envelope carries a fact whole, and tells what is none."""

from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from chassis import clock
from chassis.envelope import Outgoing, Undecodable, open_envelope, seal, type_of
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent
from protos.payments.events.v1.events_pb2 import PaymentCaptured

TYPES: dict[str, type[Message]] = {type_of(PaymentCaptured): PaymentCaptured}
TRACE = f"00-{'4b' * 16}-{'f0' * 8}-01"

FACT = PaymentCaptured(order_id="o-1", amount_minor=1, currency="GBP", started_at=datetime(2026, 1, 1, tzinfo=UTC))


def _sealed() -> bytes:
    return seal(Outgoing("payments.events", "o-1", FACT, 4, TRACE), "payments", clock.now())


def test_a_fact_comes_out_as_it_went_in() -> None:
    received = open_envelope(_sealed(), TYPES)

    assert received.message == FACT
    assert (received.key, received.version, received.traceparent) == ("o-1", 4, TRACE)
    assert received.type == "payments.events.v1.PaymentCaptured"
    assert abs((clock.now() - received.occurred_at).total_seconds()) < 5


def test_no_two_events_share_an_id() -> None:
    assert CloudEvent.FromString(_sealed()).id != CloudEvent.FromString(_sealed()).id


def test_a_type_that_nobody_here_knows_has_no_message() -> None:
    assert open_envelope(_sealed(), {}).message is None


def _changed(**changes: str) -> bytes:
    event = CloudEvent.FromString(_sealed())
    for name, value in changes.items():
        setattr(event, name, value)
    return event.SerializeToString()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xff",
        _changed(id=""),
        _changed(spec_version="2.0"),
        _changed(type="payments.events.v9.PaymentCaptured"),
    ],
    ids=["empty", "noise", "no id", "other spec", "unknown major version"],
)
def test_what_is_no_readable_event_is_undecodable(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        open_envelope(raw, TYPES)


def test_data_of_another_type_than_the_envelope_says_is_undecodable() -> None:
    event = CloudEvent.FromString(_sealed())
    event.proto_data.type_url = "type.googleapis.com/payments.events.v1.PaymentVoided"

    with pytest.raises(Undecodable):
        open_envelope(event.SerializeToString(), TYPES)
