"""A payment service killed between any two steps: the order is charged once, and hears of it once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis import inbox
from payment_service.domain import Status
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import Desk, an_order, payment_requested, refund_requested, sealed
from tests.waiting import until

_ROOT = Path(__file__).parents[3]
_INTENT = [
    "payments.payments.before_save",
    "payments.save.after_rows",
    "payments.save.after_calls",
    "payments.payments.before_commit",
    "payments.payments.after_commit",
]
_CALL = [
    "payments.calls.before_call",
    "payments.call.before",
    "payments_simulator.before_commit",
    "payments_simulator.after_commit",
    "payments.call.after",
    "payments.calls.after_call",
    "payments.record.before_commit",
    "payments.calls.before_record_commit",
    "payments.record.after_commit",
]


def _killed_at(failpoint: str, urls: dict[str, str], order: str, record: bytes) -> subprocess.Popen[bytes]:
    clerk = subprocess.Popen(
        [sys.executable, "-m", "tests.services.payment_service.clerk", order],
        cwd=_ROOT,
        env=os.environ | {"FAILPOINT": f"{failpoint}=crash", "URLS": json.dumps(urls)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert clerk.stdin is not None
    clerk.stdin.write(record)
    clerk.stdin.close()
    return clerk


def _all_killed_at(failpoints: list[str], urls: dict[str, str], records: dict[str, bytes]) -> None:
    """A few at once, because a process takes a second to start."""
    waiting = dict(zip(failpoints, records.items(), strict=True))
    while waiting:
        some = [waiting.popitem() for _ in range(min(3, len(waiting)))]
        clerks = {failpoint: _killed_at(failpoint, urls, *record) for failpoint, record in some}
        assert {failpoint: clerk.wait(60) for failpoint, clerk in clerks.items()} == dict.fromkeys(
            clerks, -signal.SIGKILL
        )


@pytest.mark.parametrize("steps", [_INTENT, _CALL], ids=["intent", "call"])
def test_whoever_dies_where_ever_the_order_is_charged_once(
    a_desk: Callable[..., Desk], urls: dict[str, str], steps: list[str]
) -> None:
    records = {(order := an_order()): sealed(payment_requested(order)) for _ in steps}
    a_desk(is_open=False).database.write(inbox.renew_partitions)
    _all_killed_at(steps, urls, records)

    survivor = a_desk()
    survivor.hear_again(list(records.values()))

    assert until(lambda: survivor.books.open_calls() == 0)
    outcomes = {step: survivor.books.entries(order) for step, order in zip(steps, records, strict=True)}
    assert outcomes == {step: ["captured"] for step in steps}
    decided = {step: survivor.books.decided(order) for step, order in zip(steps, records, strict=True)}
    assert decided == {step: ["PaymentCaptured"] for step in steps}


def test_whoever_dies_while_taking_money_back_it_is_taken_back_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    steps = ["payments.payments.after_commit", "payments.call.before", "payments_simulator.after_commit",
             "payments.record.before_commit"]  # fmt: skip
    desk = a_desk()
    orders = [an_order() for _ in steps]
    desk.hear(*(payment_requested(order) for order in orders))
    assert until(lambda: desk.books.open_calls() == 0)
    records = {order: sealed(events.PaymentVoidRequested(order_id=order)) for order in orders}
    desk.close()

    _all_killed_at(steps, urls, records)
    survivor = a_desk()

    assert until(lambda: survivor.books.open_calls() == 0)
    assert {tuple(survivor.books.entries(order)) for order in orders} == {("captured", "voided")}
    assert {survivor.books.status(order) for order in orders} == {Status.VOIDED}
    assert {tuple(survivor.books.decided(order)) for order in orders} == {("PaymentCaptured", "PaymentVoided")}


def test_whoever_dies_while_giving_money_back_it_is_given_back_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    steps = [*_INTENT, *_CALL]
    desk = a_desk()
    orders = [an_order() for _ in steps]
    desk.hear(*(payment_requested(order) for order in orders))
    assert until(lambda: desk.books.open_calls() == 0)
    records = {order: sealed(refund_requested(order, 200)) for order in orders}
    desk.close()

    _all_killed_at(steps, urls, records)
    survivor = a_desk()
    survivor.hear_again(list(records.values()))

    assert until(lambda: survivor.books.open_calls() == 0)
    entries = {step: survivor.books.entries(order) for step, order in zip(steps, orders, strict=True)}
    assert entries == {step: ["captured", "refunded"] for step in steps}
    assert {survivor.books.status(order) for order in orders} == {Status.PARTIALLY_REFUNDED}
    assert {tuple(survivor.books.decided(order)) for order in orders} == {("PaymentCaptured", "RefundSucceeded")}


def test_a_charge_that_its_dead_caller_had_sent_is_found_not_repeated(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    order = an_order()
    a_desk(is_open=False)
    _all_killed_at(["payments_simulator.after_commit"], urls, {order: sealed(payment_requested(order))})

    books = a_desk().books

    assert until(lambda: books.open_calls() == 0)
    assert books.attempts(order) == [("CHARGE", "lost"), ("LOOK_UP", "captured")]
    assert books.entries(order) == ["captured"]


def test_a_charge_that_its_dead_caller_had_not_sent_is_asked_for_then_sent(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    order = an_order()
    a_desk(is_open=False)
    _all_killed_at(["payments.call.before"], urls, {order: sealed(payment_requested(order))})

    books = a_desk().books

    assert until(lambda: books.open_calls() == 0)
    assert books.attempts(order) == [("CHARGE", "lost"), ("LOOK_UP", "not_found"), ("CHARGE", "captured")]
    assert books.entries(order) == ["captured"]


def test_a_key_is_honoured_by_a_provider_that_was_started_again(a_desk: Callable[..., Desk]) -> None:
    order = an_order()
    first = a_desk()
    first.hear(payment_requested(order, "sim_timeout_charged"))
    assert until(lambda: first.books.status(order) == Status.UNKNOWN)
    first.close()

    second = a_desk()

    assert until(lambda: second.books.status(order) == Status.CAPTURED)
    assert second.books.entries(order) == ["captured"]
