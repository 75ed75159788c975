"""Cancel on a real Postgres: one door for stock and money, whoever comes first."""

from concurrent.futures import Future
from typing import Any

from chassis import ids
from order_service.commands import Cancelled
from order_service.domain import OrderNotCancellable, OrderNotFound
from protos.payments.events.v1.events_pb2 import PaymentVoided
from tests.services.order_service.saga_facts import captured, closed, declined, released, reserved, short, started
from tests.services.order_service.shop import Shop
from tests.waiting import until


def _cancelled(shop: Shop, order_id: str) -> str:
    [cancelled] = shop.cancel(order_id)
    assert isinstance(cancelled, Cancelled), cancelled
    return cancelled.shown.standing.status


def test_a_pending_order_is_cancelled_when_its_stock_is_known_to_be_free(shop: Shop) -> None:
    """Cancelled at once, its stock might be reserved just now, and held for nobody."""
    order_id = shop.place()
    assert _cancelled(shop, order_id) == "CANCELLING"
    assert shop.told(order_id) == ["OrderPlaced", "OrderCancelling"]
    shop.hear(reserved(order_id))
    assert shop.status(order_id) == "CANCELLING", "what was reserved meanwhile resurrects nothing"
    shop.hear(released(order_id))
    row = shop.order(order_id)
    assert (row.status, row.cancelled_at) == ("CANCELLED", row.updated_at)
    assert shop.told(order_id)[-1] == "OrderCancelled"
    assert (shop.unfinished(), shop.letters()) == (set(), [])


def test_a_reserved_order_is_cancelled_when_stock_and_door_are_both_answered(shop: Shop) -> None:
    """Ended with the stock alone, a charge that was already under way would take money for a cancelled order."""
    order_id = shop.place()
    shop.hear(reserved(order_id))
    assert _cancelled(shop, order_id) == "CANCELLING"
    assert shop.told(order_id)[2:] == ["OrderCancelling", "PaymentGiveUpRequested"]
    shop.hear(released(order_id))
    assert (shop.status(order_id), shop.unfinished()) == ("CANCELLING", {order_id})
    shop.hear(closed(order_id))
    assert shop.status(order_id) == "CANCELLED"


def test_an_open_door_makes_the_cancel_wait_for_the_money_to_go_back(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    shop.cancel(order_id)
    shop.hear(started(order_id), released(order_id))
    shop.hear(captured(order_id))
    row = shop.order(order_id)
    assert (row.status, row.payment_status) == ("CANCELLING", "PAID")
    assert "PaymentVoidRequested" in shop.told(order_id)
    shop.hear(PaymentVoided(order_id=order_id))
    row = shop.order(order_id)
    assert (row.status, row.payment_status) == ("CANCELLED", "VOIDED")


def test_a_cancel_while_the_provider_is_asked_gives_the_stock_back_at_once(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id), started(order_id))
    shop.cancel(order_id)
    assert shop.told(order_id)[2:] == ["OrderCancelling", "PaymentGiveUpRequested"]
    shop.hear(declined(order_id), released(order_id))
    assert shop.status(order_id) == "CANCELLED"


def test_a_cancel_while_goods_are_on_order_wants_no_more_of_them(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(short(order_id))
    shop.cancel(order_id)
    assert shop.told(order_id)[-2:] == ["OrderCancelling", "SupplierOrderCancelRequested"]
    shop.hear(released(order_id))
    assert shop.status(order_id) == "CANCELLED"


def test_cancelling_again_and_again_answers_the_same_and_tells_nothing_more(shop: Shop) -> None:
    order_id = shop.place()
    assert [_cancelled(shop, order_id) for _ in range(2)] == ["CANCELLING", "CANCELLING"]
    shop.hear(released(order_id))
    assert [_cancelled(shop, order_id) for _ in range(2)] == ["CANCELLED", "CANCELLED"]
    assert shop.told(order_id) == ["OrderPlaced", "OrderCancelling", "OrderCancelled"]


def test_equal_cancels_in_one_batch_are_one(shop: Shop) -> None:
    order_id, other = shop.place(), shop.place()
    results = shop.cancel(order_id, other, order_id)
    assert [cancelled.shown.standing.id for cancelled in results] == [order_id, other, order_id]
    assert [cancelled.has_moved for cancelled in results] == [True, True, False]
    assert shop.told(order_id) == ["OrderPlaced", "OrderCancelling"]


def test_what_cannot_be_cancelled_is_refused_without_taking_its_neighbours_down(shop: Shop) -> None:
    done, open_, stranger = shop.place(), shop.place(), ids.new_id()
    shop.hear(reserved(done))
    shop.hear(captured(done))
    late, cancelled, nobody = shop.cancel(done, open_, stranger)
    assert isinstance(late, OrderNotCancellable)
    assert "COMPLETED" in late.message
    assert isinstance(cancelled, Cancelled)
    assert isinstance(nobody, OrderNotFound)


def test_a_cancel_that_loses_against_a_fact_answers_with_what_now_is(shop: Shop, other: Shop) -> None:
    """A look before the lock would cancel an order that is complete by now."""
    order_id = shop.place()
    shop.hear(reserved(order_id))
    cancels: list[Future[list[Any]]] = []

    def begin_to_cancel() -> None:
        cancels.append(shop.beside(shop.cancel, order_id))
        assert until(shop.is_blocked, seconds=5)

    with other.before_statement("UPDATE orders SET", begin_to_cancel):
        other.hear(captured(order_id))
    [refusal] = cancels[0].result(timeout=10)
    assert isinstance(refusal, OrderNotCancellable)
    assert shop.status(order_id) == "COMPLETED"


def test_a_fact_that_loses_against_a_cancel_is_judged_by_what_now_is(shop: Shop, other: Shop) -> None:
    order_id = shop.place()
    polls: list[Future[Any]] = []

    def begin_to_poll() -> None:
        polls.append(other.beside(other.hear, reserved(order_id)))
        assert until(shop.is_blocked, seconds=5)

    with shop.before_statement("UPDATE orders SET", begin_to_poll):
        shop.cancel(order_id)
    polls[0].result(timeout=10)
    assert (shop.status(order_id), shop.letters()) == ("CANCELLING", [])
    assert "PaymentRequested" not in shop.told(order_id)


def test_the_reason_stands_in_the_timeline(shop: Shop) -> None:
    order_id = shop.place()
    shop.cancel(order_id, reason="Found it cheaper.")
    row = shop.rows("SELECT actor, reason FROM timeline ORDER BY version DESC LIMIT 1")[0]
    assert (row.actor, row.reason) == ("customer", "Found it cheaper.")
