"""The rules of the protos, asked of messages."""

from collections.abc import Container, Iterator
from importlib import import_module
from typing import Any, Final

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

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


_CONTEXTS: Final = ("orders.v1.orders", "orders.v1.stuck", "inventory.v1.inventory", "suppliers.v1.suppliers",
                    "payments.v1.payments", "operations.v1.operations")  # fmt: skip
_CHECKED_ELSEWHERE: Final = frozenset(
    {"page_token", "last_event_id", "provider", "supplier", "timestamp", "signature", "entries", "added"}
)
"""Tokens and positions are decoded, names looked up, signatures compared; entries of batches are validated singly."""


def _texts(descriptor: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all texts in a message; a list is named by its field alone."""
    for field in descriptor.fields:
        inner = field.message_type
        if field.name in _CHECKED_ELSEWHERE:
            continue
        if field.type == field.TYPE_STRING:
            yield (*path, field.name)
        elif inner is not None and inner.file.package.endswith(".v1") and not inner.GetOptions().map_entry:
            yield from _texts(inner, (*path, field.name))


def _with_nul(message: Message, path: tuple[str, ...]) -> str:
    """Put a NUL into the text at a path; its name in errors."""
    name, *rest = path
    part: Any = getattr(message, name)
    is_list = hasattr(part, "append")
    if not rest:
        if is_list:
            part.append("a\0b")
        else:
            setattr(message, name, "a\0b")
        return f"{name}[0]" if is_list else name
    return f"{name}{'[0]' if is_list else ''}.{_with_nul(part.add() if is_list else part, tuple(rest))}"


def _wrong_fields(request: Message) -> Container[str]:
    try:
        validate(request)
    except ValidationFailed as refused:
        return refused.fields
    return ()


@pytest.mark.parametrize("context", _CONTEXTS)
def test_no_text_of_a_request_may_hold_what_no_database_can_keep(context: str) -> None:
    """Else it comes as far as the database, and the answer is a 500."""
    accepted = []
    for service in import_module(f"protos.{context}_pb2").DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            for path in _texts(method.input_type):
                request = GetMessageClass(method.input_type)()
                name = _with_nul(request, path)
                if name not in _wrong_fields(request):
                    accepted.append(f"{method.full_name} {name}")
    assert accepted == []
