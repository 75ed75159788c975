"""The rules of the protos, asked of messages."""

import pytest

from chassis.errors import ValidationFailed
from chassis.validation import validate
from protos.orders.v1.orders_pb2 import CreateOrderItem, CreateOrderRequest, GetOrderRequest


def _an_order(**changes: object) -> CreateOrderRequest:
    order = CreateOrderRequest(
        customer_id="c-17", idempotency_key="cart-991", items=[CreateOrderItem(sku="85123A", quantity=2)]
    )
    order.MergeFrom(CreateOrderRequest(**changes))  # type: ignore[arg-type]
    return order


def test_a_good_message_passes() -> None:
    validate(_an_order())


def test_fields_are_named_by_their_path() -> None:
    order = _an_order(items=[CreateOrderItem(sku="85123A", quantity=-1)], metadata={"note": "x" * 1_000})

    with pytest.raises(ValidationFailed) as refused:
        validate(order)

    assert set(refused.value.fields) == {"items[1].quantity", 'metadata["note"]'}
    assert all(sentences and all(sentences) for sentences in refused.value.fields.values())


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValidationFailed) as refused:
        validate(CreateOrderRequest())

    assert {"customer_id", "items"} <= set(refused.value.fields)


def test_thousands_of_wrong_fields_are_told_by_the_first_thirty() -> None:
    with pytest.raises(ValidationFailed) as refused:
        validate(_an_order(items=[CreateOrderItem(sku="A", quantity=0)] * 400))

    assert len(refused.value.fields) == 30


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="not valid"):
        validate(GetOrderRequest(order_id="../../etc/passwd"))
