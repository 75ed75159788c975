"""Values that make the OpenAPI document speak: by a field's name where that says most, else by its kind."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.rest.fields import bare_names, is_amount, is_map, is_message, is_required, is_timestamp, message_of

_BY_NAME: dict[str, Any] = {
    "customer_id": "c-17", "idempotency_key": "cart-991", "sku": "85123A", "skus": "85123A", "quantity": 2,
    "name": "WHITE HANGING HEART T-LIGHT HOLDER", "currency": "GBP", "payment_method": "sim_ok", "version": 2,
    "unit_price": "2.55", "price": "2.55", "total_amount": "5.10", "line_total": "5.10", "revenue": "46376.49",
    "refunded_amount": "0.00", "average_order_value": "383.28", "page_size": 15, "reason": "counted again",
    "source": "orders-2010-12", "date": "2010-12-01", "from": "2010-12-01", "to": "2010-12-31", "service": "orders",
    "trace_id": "0af7651916cd43dd8448eb211c80319c", "wait_ms": 2000, "on_hand": 10, "reserved": 2, "available": 8,
    "evidence": "statement of 2026-01-31, line 7", "supplier": "acme", "supplier_scenario": "ok", "requested": 2,
}  # fmt: skip
_UUID = "0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11"


def example_message(message: Descriptor, without: frozenset[str] = frozenset(), depth: int = 0) -> dict[str, Any]:
    """A whole message as an answer shows it; fields that are usually absent are null."""
    fields = [field for field in message.fields if field.name not in without]
    return {field.name: _example_value(field, depth) for field in fields}


def example_request(message: Descriptor, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A message as a client would send it: what must be there, and what says something."""
    fields = [field for field in message.fields if field.name not in without]
    examples = {field: _example_value(field, 0) for field in fields}
    return {
        field.name: value for field, value in examples.items() if is_required(field) or value not in ("", [], {}, None)
    }


def example_of(field: FieldDescriptor) -> Any:
    """An example of one value of the field; None for messages."""
    if is_message(field):
        return None
    if field.enum_type is not None:
        return next(iter(bare_names(field.enum_type).values()), None)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_MESSAGE):
        return _example_text(field) or None
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return field.name in ("active", "accepted")
    number = _BY_NAME.get(field.name, 1)
    return number if isinstance(number, int) else 1


def _example_text(field: FieldDescriptor) -> str:
    if is_timestamp(field):
        return "2026-01-31T12:00:00Z"
    if isinstance(known := _BY_NAME.get(field.name), str):
        return known
    if is_amount(field):
        return "5.10"
    return _UUID if field.name == "id" or field.name.endswith(("_id", "ids")) else ""


def _example_value(field: FieldDescriptor, depth: int) -> Any:
    if is_map(field):
        return {}
    if field.containing_oneof is not None or depth > 4:
        return [] if field.is_repeated else None
    if is_message(field):
        value: Any = example_message(message_of(field), depth=depth + 1)
    elif (value := example_of(field)) is None and not field.has_presence:
        value = ""
    return [value] if field.is_repeated else value
