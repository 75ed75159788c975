"""What comes in is taken as clients mean it, or refused by the name of the field."""

from typing import Any

import pytest

from chassis.errors import Refusal, ValidationFailed
from inventory_service import wire
from inventory_service.domain import (
    ChangeKind,
    CurrencyMismatch,
    Fact,
    Policy,
    Shortage,
    StockRejected,
    StockReleased,
    StockReserved,
    Supply,
)
from protos.inventory.events.v1 import events_pb2 as events
from protos.inventory.v1 import inventory_pb2 as pb
from protos.orders.events.v1 import events_pb2 as orders
from tests.unit.inventory_service.examples import EARLY, TRACE, UNTIL


def _put(**changes: Any) -> pb.PutProductRequest:
    usual: dict[str, Any] = {
        "sku": "A-1", "name": "a thing", "price": "2.55", "currency": "GBP", "supply": pb.SUPPLY_STOCK,
    }  # fmt: skip
    return pb.PutProductRequest(**usual | changes)


def test_a_product_is_trimmed_and_normalised_and_priced_in_minor_units() -> None:
    offer = wire.offer_of(_put(sku="  cafe\u0301 ", name=" Spoon\t"), "GBP")

    assert (offer.sku, offer.name, offer.price_minor) == ("café", "Spoon", 255)
    assert offer.active


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sku": "   "}, "sku"),
        ({"name": "\u00a0"}, "name"),
        ({"price": "2.555"}, "price"),
        ({"price": "99999999999999999.00"}, "price"),
        ({"supply": pb.SUPPLY_SUPPLIER}, "supplier"),
        ({"supply": pb.SUPPLY_SUPPLIER, "supplier": " "}, "supplier"),
    ],
)
def test_a_wrong_field_of_a_product_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        wire.offer_of(_put(**changes), "GBP", "products[3].")

    assert list(refused.value.fields) == [f"products[3].{field}"]


def test_another_currency_than_the_installations_is_refused() -> None:
    with pytest.raises(CurrencyMismatch) as refused:
        wire.offer_of(_put(currency="EUR"), "GBP")

    assert refused.value.code == "currency_mismatch"
    assert list(refused.value.fields) == ["currency"]


def test_a_supplier_and_its_scenario_are_kept() -> None:
    request = _put(supply=pb.SUPPLY_SUPPLIER, supplier=" acme ", supplier_scenario="webhook_ok:1", active=False)

    offer = wire.offer_of(request, "GBP")

    assert (offer.supply, offer.supplier, offer.supplier_scenario) == (Supply.SUPPLIER, "acme", "webhook_ok:1")
    assert not offer.active


def test_lines_of_one_sku_count_together() -> None:
    order = orders.OrderPlaced(
        order_id=EARLY,
        lines=[orders.Line(sku="A", quantity=2), orders.Line(sku="B", quantity=1), orders.Line(sku="A", quantity=3)],
    )

    assert wire.lines_of(order) == {"A": 5, "B": 1}


@pytest.mark.parametrize("lines", [[], [orders.Line(sku="A", quantity=0)], [orders.Line(sku="A", quantity=-1)]])
def test_an_order_without_pieces_is_poison(lines: list[orders.Line]) -> None:
    with pytest.raises(ValueError, match=EARLY):
        wire.lines_of(orders.OrderPlaced(order_id=EARLY, lines=lines))


def test_no_policy_means_reject() -> None:
    assert wire.policy_of(orders.OrderPlaced()) is Policy.REJECT
    assert wire.policy_of(orders.OrderPlaced(stock_policy=orders.STOCK_POLICY_BACKORDER)) is Policy.BACKORDER


def test_facts_go_out_under_their_order_with_its_trace() -> None:
    facts: list[Fact] = [
        StockReserved(EARLY, UNTIL),
        StockRejected(EARLY, (Shortage("A", 3, 1),)),
        StockReleased(EARLY),
    ]

    outgoing = wire.facts_to_outgoing((fact, TRACE) for fact in facts)

    assert {(each.topic, each.key, each.traceparent) for each in outgoing} == {("inventory.events", EARLY, TRACE)}
    reserved, rejected, released = (each.message for each in outgoing)
    assert isinstance(reserved, events.StockReserved)
    assert reserved.expires_at.ToDatetime(UNTIL.tzinfo) == UNTIL
    assert rejected == events.StockRejected(
        order_id=EARLY, shortages=[events.Shortage(sku="A", requested=3, available=1)]
    )
    assert released == events.StockReleased(order_id=EARLY)


def test_equal_receipts_have_equal_fingerprints_and_others_have_not() -> None:
    request = pb.ReceiveStockRequest(sku=" A ", quantity=5, reason="found", idempotency_key="k")
    receipt = wire.receipt_of(request)
    adjustment = wire.adjustment_of(
        pb.AdjustStockRequest(sku="A", quantity_delta=5, reason="found", idempotency_key="k")
    )

    assert (receipt.kind, receipt.sku) == (ChangeKind.RECEIPT, "A")
    assert receipt.fingerprint == wire.receipt_of(request).fingerprint
    assert receipt.fingerprint != adjustment.fingerprint
    request.reason = "found again"
    assert receipt.fingerprint != wire.receipt_of(request).fingerprint


def test_an_adjustment_that_expects_nothing_differs_from_one_that_expects_none() -> None:
    request = pb.AdjustStockRequest(sku="A", quantity_delta=5, idempotency_key="k")
    unconditional = wire.adjustment_of(request)
    request.expected_on_hand = 0

    assert (unconditional.expected_on_hand, wire.adjustment_of(request).expected_on_hand) == (None, 0)
    assert unconditional.fingerprint != wire.adjustment_of(request).fingerprint


def test_an_empty_sku_of_a_reservation_is_named_by_its_line() -> None:
    request = pb.ReserveStockRequest(
        lines=[pb.ReservationLine(sku="A", quantity=1), pb.ReservationLine(sku=" ", quantity=1)]
    )

    with pytest.raises(Refusal) as refused:
        wire.reservation_lines_of(request)

    assert list(refused.value.fields) == ["lines[1].sku"]
