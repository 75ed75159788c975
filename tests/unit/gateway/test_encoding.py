"""Protobuf → JSON."""

from typing import Any

import orjson
from google.protobuf.message import Message

from gateway.rest.encoding import Writers, dump
from protos.cloudevents.v1 import cloudevents_pb2
from protos.orders.v1 import imports_pb2, orders_pb2


def shown(message: Message) -> Any:
    return orjson.loads(dump(Writers().of_message(message)))


def test_every_field_is_shown_in_its_order() -> None:
    assert list(shown(orders_pb2.Order())) == list(orders_pb2.Order.DESCRIPTOR.fields_by_name)


def test_defaults_are_shown_and_what_is_absent_is_null() -> None:
    order = shown(orders_pb2.Order())

    assert (order["id"], order["version"], order["items"], order["metadata"]) == ("", 0, [], {})
    assert (order["external_ref"], order["placed_at"], order["reserved_until"]) == (None, None, None)
    assert order["status"] is None


def test_an_optional_value_is_shown_even_when_it_is_the_default() -> None:
    assert shown(orders_pb2.Order(external_ref=""))["external_ref"] == ""
    assert shown(imports_pb2.Import(seconds_left=0))["seconds_left"] == 0


def test_enums_are_shown_by_their_bare_names() -> None:
    step = shown(orders_pb2.TimelineStep(to="ORDER_STATUS_RESERVED"))

    assert (step["from"], step["to"]) == (None, "RESERVED")


def test_an_enum_value_of_a_newer_service_is_shown_by_its_number() -> None:
    newer = orders_pb2.Order()
    newer.ParseFromString(b"\x18\x63")

    assert shown(newer)["status"] == 99


def test_times_are_rfc_3339_in_utc() -> None:
    order = orders_pb2.Order(
        placed_at={"seconds": 1291191960},
        created_at={"seconds": 1291191960, "nanos": 7_000},
        updated_at={"seconds": -1},
    )

    times = shown(order)
    assert times["placed_at"] == "2010-12-01T08:26:00Z"
    assert times["created_at"] == "2010-12-01T08:26:00.000007Z"
    assert times["updated_at"] == "1969-12-31T23:59:59Z"


def test_maps_and_inner_messages_are_objects() -> None:
    told = shown(imports_pb2.Import(orders_by_status={"COMPLETED": 2**40}))
    assert told["orders_by_status"] == {"COMPLETED": 2**40}

    event = cloudevents_pb2.CloudEvent()
    event.attributes["k"].ce_integer = 7
    assert shown(event)["attributes"]["k"]["ce_integer"] == 7


def test_bytes_are_base64() -> None:
    assert shown(cloudevents_pb2.CloudEvent(binary_data=b"hi"))["binary_data"] == "aGk="
