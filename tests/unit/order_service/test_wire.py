"""Requests in their normal form, and orders as they are shown."""

from typing import Any

import pytest

from chassis.errors import ValidationFailed
from order_service import wire
from order_service.domain import Shortage, Status, StockPolicy, Wanted
from order_service.tables import Shown, Terms, standing_of
from order_service.wire import Asked
from protos.orders.v1 import orders_pb2 as pb
from tests.unit.order_service.examples import NOON, ORDER_ID, TRACE, an_order


def _request(**changes: Any) -> pb.CreateOrderRequest:
    items = changes.pop("items", [("85123A", 2)])
    usual: dict[str, Any] = {"customer_id": "c-17", "idempotency_key": "cart-991"}
    lines = [pb.CreateOrderItem(sku=sku, quantity=quantity) for sku, quantity in items]
    return pb.CreateOrderRequest(**usual | changes, items=lines)


def _decoded(**changes: Any) -> Asked:
    return wire.decode(_request(**changes), "GBP")


def _fields(**changes: Any) -> set[str]:
    with pytest.raises(ValidationFailed) as refusal:
        _decoded(**changes)
    return set(refusal.value.fields)


def test_what_is_left_out_has_its_usual_meaning() -> None:
    asked = _decoded()
    assert (asked.stock_policy, asked.payment_method, asked.wait_seconds) == (StockPolicy.REJECT, "", 2.0)
    assert (asked.expected_minor, asked.external_ref, asked.metadata) == (None, None, None)
    assert asked.wanted == [Wanted("85123A", 2)]


def test_texts_are_trimmed_and_normalised_and_keep_their_case() -> None:
    asked = _decoded(customer_id=" C-17 ", items=[(" Cafe\u0301 ", 1)], metadata={" Note ": " Gift "})
    assert (asked.customer_id, asked.wanted, asked.metadata) == ("C-17", [Wanted("Caf\u00e9", 1)], {"Note": "Gift"})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "  "}, "customer_id"),
        ({"customer_id": "a\x00b"}, "customer_id"),
        ({"customer_id": "c" * 256}, "customer_id"),
        ({"idempotency_key": " "}, "idempotency_key"),
        ({"idempotency_key": "k" * 300}, "idempotency_key"),
        ({"items": []}, "items"),
        ({"items": [("A", 1)] * 501}, "items"),
        ({"items": [("A", 1), ("B", 0)]}, "items[1].quantity"),
        ({"items": [("A", -1)]}, "items[0].quantity"),
        ({"items": [("A", 1_000_001)]}, "items[0].quantity"),
        ({"items": [("A", 1), (" ", 1)]}, "items[1].sku"),
        ({"items": [("A" * 65, 1)]}, "items[0].sku"),
        ({"items": [("\u0958" * 64, 1)]}, "items[0].sku"),
        ({"expected_total": "1e3"}, "expected_total"),
        ({"expected_total": "5.101"}, "expected_total"),
        ({"currency": "pounds"}, "currency"),
        ({"wait_ms": 30_001}, "wait_ms"),
        ({"wait_ms": -1}, "wait_ms"),
        ({"metadata": {"note": "a\nb"}}, 'metadata["note"]'),
        ({"stock_policy": 9}, "stock_policy"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert _fields(**changes) == {field}


def test_all_wrong_fields_are_named_at_once() -> None:
    assert _fields(customer_id="", items=[("", 0)]) == {"customer_id", "items[0].sku", "items[0].quantity"}


def test_equal_requests_have_equal_fingerprints_however_long_they_wait_and_however_they_are_spaced() -> None:
    first = _decoded().fingerprint
    assert first == _decoded(wait_ms=0).fingerprint
    assert first == _decoded(stock_policy=pb.STOCK_POLICY_REJECT).fingerprint
    assert first == _decoded(items=[(" 85123A ", 2)]).fingerprint
    assert len(first) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"items": [("85123A", 3)]},
        {"items": [("85123a", 2)]},
        {"items": [("85123A", 1), ("85123A", 1)]},
        {"stock_policy": pb.STOCK_POLICY_BACKORDER},
        {"payment_method": "sim_ok"},
        {"expected_total": "5.10"},
        {"external_ref": "po-1"},
        {"metadata": {"a": "b"}},
        {"currency": "GBP"},
    ],
)
def test_another_request_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert _decoded(**changes).fingerprint != _decoded().fingerprint


def test_a_fingerprint_of_today_is_that_of_yesterday() -> None:
    """It is stored: a release that computes another one would refuse the retries of the release before."""
    assert _decoded().fingerprint.hex() == "94b94047053d53830217df0e19c21789"


def _shown(order: Any = None) -> Shown:
    items = [{"sku": "A", "name": "a lamp", "quantity": 2, "unit_price_minor": 255}]
    terms = Terms("c-17", "cart-991", 510, "GBP", "REJECT", "sim_ok", None, {"note": "gift"}, items, NOON, NOON)
    return Shown(standing_of(order or an_order(Status.RESERVED)), terms)


def test_an_order_is_shown_with_money_as_decimals_and_absent_things_left_out() -> None:
    message = wire.order_to_proto(_shown())
    [item] = message.items
    assert (message.total_amount, message.refunded_amount) == ("5.10", "0.00")
    assert (item.unit_price, item.line_total, item.name) == ("2.55", "5.10", "a lamp")
    assert (message.status, message.payment_status) == (pb.ORDER_STATUS_RESERVED, pb.PAYMENT_STATUS_PENDING)
    assert dict(message.metadata) == {"note": "gift"}
    assert message.HasField("reserved_until")
    for name in ("external_ref", "failure_code", "attention", "completed_at", "cancelled_at", "next_try_at"):
        assert not message.HasField(name)


def test_an_order_that_went_on_is_shown_as_if_it_were_read_anew() -> None:
    """Whoever waits keeps the message of the placed order, and is told only what has changed."""
    message = wire.order_to_proto(_shown())
    for status in (Status.PAYMENT_PROCESSING, Status.COMPLETED, Status.FAILED):
        order = an_order(status, failure_message="No.")
        wire.update_order(message, standing_of(order))
        assert message == wire.order_to_proto(_shown(order))


def test_a_lack_of_stock_names_the_order_and_what_is_short() -> None:
    order = an_order(Status.PENDING)
    order.reject([Shortage("A", 5, 2)])
    refusal = wire.insufficient_stock(standing_of(order))
    assert (refusal.code, refusal.status) == ("insufficient_stock", "ABORTED")
    shortage = pb.Shortage(sku="A", requested=5, available=2)
    assert list(refusal.details) == [pb.InsufficientStock(order_id=ORDER_ID, shortages=[shortage])]


def test_every_status_has_a_face() -> None:
    for status in Status:
        shown = wire.order_to_proto(_shown(an_order(status)))
        assert pb.OrderStatus.Name(shown.status) == f"ORDER_STATUS_{status}"
        assert wire.status_name(shown.status) == status


@pytest.mark.parametrize("status", [Status.PENDING, Status.RESERVED, Status.PAYMENT_PROCESSING])
def test_what_an_order_tells_carries_its_id_version_and_trace(status: Status) -> None:
    order = an_order(status)
    {
        Status.PENDING: lambda: order.reserve(NOON),
        Status.RESERVED: lambda: order.cancel(""),
        Status.PAYMENT_PROCESSING: order.complete,
    }[status]()
    for outgoing in wire.outgoing_of([order]):
        assert (outgoing.key, outgoing.version, outgoing.traceparent) == (ORDER_ID, 4, TRACE)
        message: Any = outgoing.message
        assert message.order_id == ORDER_ID
