"""JSON → protobuf, and what is said of what does not fit."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.decoding import Readers
from gateway.rest.wrong import MOST_ERRORS, Errors, Wrong
from protos.cloudevents.v1 import cloudevents_pb2
from protos.operations.v1 import operations_pb2
from protos.orders.v1 import imports_pb2, orders_pb2

GOOD: dict[str, Any] = {"customer_id": "c", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(kind: type[Message], value: object) -> Any:
    descriptor: Any = kind.DESCRIPTOR
    return kind(**Readers().of(descriptor)(value))


def wrong_with(kind: type[Message], value: object) -> Errors:
    with pytest.raises(Wrong) as refused:
        read(kind, value)
    return dict(refused.value.errors)


def fits(kind: type[Message], value: object) -> bool:
    """Whether the value is read; what is wrong with it is named, or this fails."""
    try:
        read(kind, value)
    except Wrong as refused:
        return not refused.errors and pytest.fail("refused without a reason")
    return True


def test_a_whole_request_becomes_a_message() -> None:
    more = {"stock_policy": "BACKORDER", "metadata": {"a": " b "}, "wait_ms": 0, "expected_total": "5.10"}

    request = read(orders_pb2.CreateOrderRequest, GOOD | more)

    assert request.items[0] == orders_pb2.CreateOrderItem(sku="A", quantity=1)
    assert request.stock_policy == orders_pb2.STOCK_POLICY_BACKORDER
    assert dict(request.metadata) == {"a": "b"}
    assert (request.HasField("wait_ms"), request.wait_ms, request.expected_total) == (True, 0, "5.10")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    errors = wrong_with(orders_pb2.CreateOrderRequest, {"items": [{"sku": 1}, 7], "colour": "red"})

    assert errors == {
        "items[0].sku": ["must be a string"],
        "items[0].quantity": ["is required"],
        "items[1]": ["must be an object"],
        "colour": ["is not a known field"],
        "customer_id": ["is required"],
        "idempotency_key": ["is required"],
    }


def test_complaints_do_not_outgrow_the_request() -> None:
    errors = wrong_with(orders_pb2.CreateOrderRequest, GOOD | {f"field{number}": 1 for number in range(5000)})

    assert len(errors) == MOST_ERRORS


def test_a_long_unknown_name_is_told_in_part() -> None:
    errors = wrong_with(orders_pb2.CreateOrderRequest, GOOD | {"x" * 100_000: 1})

    assert [len(name) for name in errors] == [255]


def test_inner_messages_are_read_like_outer_ones() -> None:
    request = read(operations_pb2.ReplayDeadLettersRequest, {"service": "orders", "filter": {"ids": ["a", "b"]}})

    assert list(request.filter.ids) == ["a", "b"]
    errors = wrong_with(operations_pb2.ReplayDeadLettersRequest, {"service": "orders", "filter": {"ids": ["a", 2]}})
    assert errors == {"filter.ids[1]": ["must be a string"]}


def test_fields_that_exclude_one_another_are_not_both_taken() -> None:
    errors = wrong_with(imports_pb2.CreateImportRequest, {"spec": {"source": "s"}, "chunk": "AAAA"})

    assert errors == {"chunk": ["excludes spec"]}


def test_bytes_are_base64() -> None:
    assert read(imports_pb2.CreateImportRequest, {"chunk": "aGk="}).chunk == b"hi"
    assert wrong_with(imports_pb2.CreateImportRequest, {"chunk": "a!"}) == {"chunk": ["must be base64"]}


def test_a_map_of_messages_is_read_with_its_keys() -> None:
    event = read(cloudevents_pb2.CloudEvent, {"attributes": {"key": {"ce_integer": 7}}})

    assert event.attributes["key"].ce_integer == 7


@given(json_values)
def test_no_json_breaks_a_reader(value: object) -> None:
    for kind in (orders_pb2.CreateOrderRequest, operations_pb2.ReplayDeadLettersRequest, cloudevents_pb2.CloudEvent):
        assert fits(kind, value) in (True, False)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(orders_pb2.CreateOrderRequest.DESCRIPTOR.fields_by_name, json_values)
    )
)
def test_no_value_of_a_known_field_breaks_a_reader(given_fields: dict[str, object]) -> None:
    assert fits(orders_pb2.CreateOrderRequest, given_fields) in (True, False)
