"""Refunds on a real Postgres: asked for once, decided under the order's lock, and told when they are carried out."""

from collections import Counter
from concurrent.futures import Future
from typing import Any

from chassis import clock, ids
from order_service.commands import RefundStands
from order_service.domain import IdempotencyKeyReused, OrderNotFound, OrderNotRefundable, RefundExceedsPayment
from order_service.reports.queries import kpis
from protos.payments.events.v1.events_pb2 import RefundDelayed, RefundFailed
from tests.services.order_service.refunding import a_paid_order, a_refund, refund_of, succeeded
from tests.services.order_service.saga_facts import in_seconds
from tests.services.order_service.shop import TRACE, Shop


def test_a_refund_goes_from_its_request_to_the_shelf(shop: Shop) -> None:
    order_id = a_paid_order(shop)

    refund_id = refund_of(shop.refund(a_refund(order_id, restock=True))[0])
    shop.hear(succeeded(order_id, refund_id, 510))

    asked, refunded = shop.facts(order_id)[-2:]
    assert (asked.refund_id, asked.amount_minor, asked.currency) == (refund_id, 510, "GBP")
    assert (refunded.refund_id, refunded.amount_minor) == (refund_id, 510)
    assert [(line.sku, line.quantity) for line in refunded.restocked] == [("A", 2)], "lines of a SKU count together"
    row = shop.order(order_id)
    assert (row.status, row.payment_status, row.refunded_minor, row.version) == ("COMPLETED", "REFUNDED", 510, 6)
    assert shop.traces(order_id)[-2:] == [TRACE, TRACE]


def test_ten_equal_refunds_at_once_are_one(shop: Shop, other: Shop) -> None:
    """Looked for before the lock, the key would be free for all of them."""
    order_id = a_paid_order(shop)

    started: list[Future[Any]] = [
        each.beside(each.refund, a_refund(order_id, "r1", 200)) for each in (shop, other) for _ in range(5)
    ]
    results = [result for future in started for result in future.result(timeout=20)]

    assert len({refund_of(result) for result in results}) == 1
    assert Counter(result.is_replayed for result in results) == {False: 1, True: 9}
    assert shop.told(order_id).count("RefundRequested") == 1


def test_two_refunds_at_once_never_come_to_more_than_was_paid(shop: Shop, other: Shop) -> None:
    order_id = a_paid_order(shop)

    first = shop.beside(shop.refund, a_refund(order_id, amount_minor=300))
    second = other.beside(other.refund, a_refund(order_id, amount_minor=300))

    results = [*first.result(timeout=20), *second.result(timeout=20)]
    assert Counter(type(result) for result in results) == {RefundStands: 1, RefundExceedsPayment: 1}
    [row] = shop.rows("SELECT sum(amount_minor) AS asked FROM refunds")
    assert row.asked == 300


def test_equal_refunds_in_one_batch_are_one_and_other_content_is_refused(shop: Shop) -> None:
    order_id = a_paid_order(shop)

    first, again, reused = shop.refund(
        a_refund(order_id, "r1", 200), a_refund(order_id, "r1", 200), a_refund(order_id, "r1", 201)
    )

    assert refund_of(first) == refund_of(again)
    assert isinstance(reused, IdempotencyKeyReused)


def test_a_repeat_finds_its_refund_when_nothing_is_left(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, "r1"))[0])
    shop.hear(succeeded(order_id, refund_id, 510))

    [again] = shop.refund(a_refund(order_id, "r1"))

    assert (refund_of(again), again.refund.status, again.is_replayed) == (refund_id, "SUCCEEDED", True)


def test_each_refusal_is_for_its_own_caller(shop: Shop) -> None:
    paid, unpaid = a_paid_order(shop), shop.place()

    results = shop.refund(a_refund(unpaid), a_refund(ids.new_id()), a_refund(paid))

    assert [type(result) for result in results] == [OrderNotRefundable, OrderNotFound, RefundStands]


def test_a_refund_told_twice_counts_once(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, amount_minor=200))[0])

    shop.hear(succeeded(order_id, refund_id, 200), succeeded(order_id, refund_id, 200))
    shop.hear(succeeded(order_id, refund_id, 200))

    assert (shop.order(order_id).refunded_minor, shop.told(order_id).count("OrderRefunded")) == (200, 1)
    assert shop.letters() == []


def test_a_refund_that_failed_needs_attention_and_leaves_its_money(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, restock=True))[0])

    shop.hear(RefundFailed(order_id=order_id, refund_id=refund_id, reason="The card is closed."))

    row = shop.order(order_id)
    assert (row.payment_status, row.refunded_minor, row.attention) == ("PAID", 0, "refund_failed")
    assert "OrderRefunded" not in shop.told(order_id), "its goods stay where they are"
    assert isinstance(shop.refund(a_refund(order_id))[0], RefundStands)


def test_an_unknown_refund_is_shown_until_it_is_known(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, amount_minor=100))[0])
    delayed = RefundDelayed(
        order_id=order_id, refund_id=refund_id, attention="payment_unknown", next_try_at=in_seconds(5)
    )

    shop.hear(delayed, delayed)
    unknown = shop.order(order_id)
    [refund] = shop.rows("SELECT status FROM refunds")
    shop.hear(succeeded(order_id, refund_id, 100))

    assert (unknown.attention, refund.status) == ("payment_unknown", "UNKNOWN")
    known = shop.order(order_id)
    assert (known.attention, known.next_try_at, known.payment_status) == (None, None, "PARTIALLY_REFUNDED")


def test_another_amount_than_was_asked_back_is_parked_and_not_booked(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, amount_minor=100))[0])

    shop.hear(succeeded(order_id, refund_id, 500))

    assert shop.letters() == [(order_id, "error")]
    assert shop.order(order_id).refunded_minor == 0


def test_figures_are_net_of_refunds_and_still_count_the_order(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id, amount_minor=200))[0])
    shop.hear(succeeded(order_id, refund_id, 200))

    today = clock.now().date()
    figures = shop.database.read(lambda connection: kpis(connection, today, today))

    assert (figures.orders, figures.revenue_minor) == (1, 310)
