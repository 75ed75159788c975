"""Supplier orders on the wire: events, the gRPC face, and the payload of a call."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import orjson
from google.protobuf.message import Message

from chassis.calls import Call, NewCall
from chassis.errors import ValidationFailed
from protos.suppliers.events.v1 import events_pb2 as events
from protos.suppliers.v1 import suppliers_pb2 as pb
from supplier_service import domain
from supplier_service.domain import Fact, News, Question, Status, SupplierOrder, SupplierTrouble
from supplier_service.ports import Named, ReserveRequest

SUPPLY: Final = "supply"
"""The kind of the call that brings a supplier order to its end: asks for the goods, then how they stand."""
CANCEL: Final = "cancel"
"""The kind of the call that lets a supplier order go."""


def call_of(question: Question, supplier_order: SupplierOrder, trace: str) -> NewCall:
    """The call that asks a question about a supplier order, due at once."""
    names = {"supplier": supplier_order.supplier, "reference": supplier_order.reference}
    if question is Question.CANCEL:
        return NewCall(CANCEL, supplier_order.id, supplier_order.order_id, names | {"trace": trace})
    asked = names | {
        "sku": supplier_order.sku,
        "quantity": supplier_order.quantity,
        "scenario": supplier_order.scenario,
    }
    return NewCall(SUPPLY, supplier_order.id, supplier_order.order_id, asked | {"trace": trace})


def request_of(call: Call) -> ReserveRequest:
    """What a call asks of the supplier."""
    asked = call.payload
    return ReserveRequest(call.key, asked["supplier"], asked["sku"], asked["quantity"], asked["scenario"])


def named_of(call: Call) -> Named:
    """Which supplier order a call is about.

    Raises SupplierTrouble for a call of an earlier release that does not say whose it is: its next try does.
    """
    supplier = call.payload.get("supplier", "")
    if not supplier:
        raise SupplierTrouble("the call does not say yet whose supplier order it is about")
    return Named(call.key, supplier, call.payload.get("reference", ""))


def question_of(call: Call) -> Question:
    """What a call has to ask now."""
    return Question.CANCEL if call.kind == CANCEL else Question(call.payload.get("next", Question.RESERVE))


def payload_for(call: Call, question: Question, supplier_order: SupplierOrder) -> dict[str, Any]:
    """The call's payload when `question` is to be asked next, with the names that are known by now."""
    names = {"supplier": supplier_order.supplier, "reference": supplier_order.reference}
    return call.payload | names | {"next": question}


def news_of(body: bytes) -> tuple[str, News]:
    """What a webhook says, and of which supplier order. Raises ValidationFailed naming what does not fit."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValidationFailed("the message is not JSON", fields={"message": ["must be JSON"]}) from None
    if not isinstance(told, dict):
        raise ValidationFailed("the message is not an object", fields={"message": ["must be an object"]})
    reference = _text_in(told, "reference") or _text_in(told, "ref")
    if not reference:
        raise ValidationFailed("the message names no supplier order", fields={"reference": ["is required"]})
    status = _text_in(told, "status")
    if status not in _NEWS:
        raise ValidationFailed(
            "the message says nothing that is known here", fields={"status": [f"must be one of {', '.join(_NEWS)}"]}
        )
    return reference, _NEWS[status](told, reference)


def _text_in(told: dict[str, object], name: str) -> str:
    value = told.get(name) or ""
    if not isinstance(value, str) or len(value) > _LONGEST or not (value.isprintable() or not value):
        sentence = f"must be a string of at most {_LONGEST} printable characters"
        raise ValidationFailed("the message is not valid", fields={name: [sentence]})
    return value.strip()


_LONGEST: Final = 255
_NEWS: Final[dict[str, Callable[[dict[str, object], str], News]]] = {
    "accepted": lambda told, reference: domain.Accepted(
        _text_in(told, "supplier_reference") or _text_in(told, "ref") or reference
    ),
    "rejected": lambda told, _: domain.Rejected(_text_in(told, "reason")),
    "delayed": lambda told, _: domain.Delayed(),
    "ok": lambda told, _: domain.Delivered(),
    "fail": lambda told, _: domain.Failed(_text_in(told, "reason")),
}


def fact_to_proto(fact: Fact) -> Message:
    """The event that tells a fact."""
    return _EVENTS[type(fact)](**fact._asdict())


_EVENTS: Final[dict[type[Any], Callable[..., Message]]] = {
    domain.SupplierOrderAccepted: events.SupplierOrderAccepted,
    domain.SupplierOrderDelayed: events.SupplierOrderDelayed,
    domain.SupplierOrderDelivered: events.SupplierOrderDelivered,
    domain.SupplierOrderRejected: events.SupplierOrderRejected,
    domain.SupplierOrderFailed: events.SupplierOrderFailed,
    domain.SupplierOrderCancelled: events.SupplierOrderCancelled,
    domain.SupplierOrderUnreachable: events.SupplierOrderUnreachable,
}


def supplier_order_to_proto(supplier_order: SupplierOrder, updated_at: datetime) -> pb.SupplierOrder:
    """A supplier order as the gRPC face shows it."""
    return pb.SupplierOrder(
        id=supplier_order.id,
        order_id=supplier_order.order_id,
        sku=supplier_order.sku,
        quantity=supplier_order.quantity,
        supplier=supplier_order.supplier,
        status=f"SUPPLIER_ORDER_STATUS_{supplier_order.status}",
        accepted=supplier_order.reference != "" or supplier_order.status is Status.ACCEPTED,
        supplier_reference=supplier_order.reference or None,
        checks_made=supplier_order.checks_made,
        next_check_at=supplier_order.next_check_at,
        failure_message=supplier_order.failure_message or None,
        created_at=supplier_order.created_at,
        updated_at=updated_at,
    )
