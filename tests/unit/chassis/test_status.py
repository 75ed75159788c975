"""Refusals as google.rpc.Status."""

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import LockConflict, Overloaded, Refusal, ValidationFailed
from chassis.status import code_of, fitting, status_of, trailers_of
from protos.orders.v1.orders_pb2 import InsufficientStock, Shortage


class OutOfStock(Refusal):
    code = "insufficient_stock"
    status = "ABORTED"


def _details(status: status_pb2.Status, kind: type[Message]) -> list[Message]:
    found = []
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found


def test_a_refusal_tells_its_reason_and_who_refused() -> None:
    status = status_of(LockConflict("busy", metadata={"sku": "A"}), "inventory")

    assert code_of(status) is grpc.StatusCode.ABORTED
    assert status.message == "busy"
    assert _details(status, error_details_pb2.ErrorInfo) == [
        error_details_pb2.ErrorInfo(reason="lock_conflict", domain="inventory", metadata={"sku": "A"})
    ]


def test_wrong_fields_are_named_one_violation_for_each_sentence() -> None:
    status = status_of(ValidationFailed("no", fields={"items[0].quantity": ["too small", "odd"], "sku": ["empty"]}))

    [bad] = _details(status, error_details_pb2.BadRequest)
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [(each.field, each.description) for each in bad.field_violations] == [
        ("items[0].quantity", "too small"),
        ("items[0].quantity", "odd"),
        ("sku", "empty"),
    ]


def test_a_refusal_that_passes_says_when_to_come_again() -> None:
    [retry] = _details(status_of(Overloaded("later", retry_after=1.5)), error_details_pb2.RetryInfo)

    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_typed_details_travel_along() -> None:
    shortage = InsufficientStock(shortages=[Shortage(sku="A", requested=2, available=1)])

    assert _details(status_of(OutOfStock("short", details=[shortage])), InsufficientStock) == [shortage]


def test_an_unknown_error_says_nothing_of_the_inside() -> None:
    status = status_of(ZeroDivisionError("the secret is 42"), "orders")

    assert code_of(status) is grpc.StatusCode.INTERNAL
    assert status.message == "internal error"
    assert not status.details


def test_details_too_large_for_metadata_are_left_out_and_the_reason_stays() -> None:
    shortages = [Shortage(sku=f"SKU-{number}", requested=2, available=1) for number in range(500)]
    status = status_of(OutOfStock("x" * 10_000, details=[InsufficientStock(shortages=shortages)]), "orders")

    short = fitting(status)

    assert short.ByteSize() <= 5_000
    assert _details(short, error_details_pb2.ErrorInfo) == _details(status, error_details_pb2.ErrorInfo)
    assert not _details(short, InsufficientStock)
    assert trailers_of(status) == (("grpc-status-details-bin", short.SerializeToString()),)
