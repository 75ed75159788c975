"""Stuck orders on a real Postgres: asked after again with growing patience, shown with the reason, resumed by hand."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chassis import ids
from order_service import commands, queries
from order_service.commands import ResumeOrder
from order_service.domain import OrderNotFound, OrderNotResumable
from order_service.jobs import Census, Patrol
from order_service.servicer import StuckOrderServicer
from protos.orders.v1 import stuck_pb2 as pb
from tests.services.order_service.saga_facts import captured, in_seconds, released, reserved, short, started, unknown
from tests.services.order_service.shop import TRACE, Shop


@pytest.fixture
def look(shop: Shop) -> Callable[[], None]:
    return Patrol(shop.database, lambda: None).look


def _wait(shop: Shop, order_id: str, seconds: int = 120) -> None:
    """Nothing was heard of it for so long, and everything that was told is relayed."""
    shop.run(
        "UPDATE orders SET updated_at = updated_at - make_interval(secs => :seconds),"
        " created_at = created_at - make_interval(secs => :seconds) WHERE id = CAST(:id AS uuid)",
        id=order_id,
        seconds=seconds,
    )
    shop.run("UPDATE outbox SET created_at = now()")


def _resume(shop: Shop, *order_ids: str) -> list[Any]:
    asked = [ResumeOrder(order_id, traceparent=TRACE) for order_id in order_ids]
    return list(shop.database.write(lambda connection: commands.resume_orders(connection, asked)))


def _stuck(shop: Shop) -> list[Any]:
    return shop.database.read(lambda connection: queries.stuck_orders(connection, 100, ""))[0]


def _asks(shop: Shop, order_id: str) -> int:
    [row] = shop.rows("SELECT asks FROM unfinished WHERE order_id = CAST(:id AS uuid)", id=order_id)
    return int(row.asks)


def test_an_order_without_an_answer_has_its_request_sent_again_whole(shop: Shop, look: Callable[[], None]) -> None:
    order_id = shop.place(("A", 2), ("B", 1))
    _wait(shop, order_id)
    look()
    first, second = shop.facts(order_id)
    assert first == second, "the same request, as a new event"
    assert shop.traces(order_id)[1][3:35] == TRACE[3:35]
    assert (shop.status(order_id), shop.order(order_id).version) == ("PENDING", 1)


def test_a_recent_order_is_left_alone(shop: Shop, look: Callable[[], None]) -> None:
    order_id = shop.place()
    _wait(shop, order_id, seconds=50)
    look()
    assert shop.told(order_id) == ["OrderPlaced"]


def test_each_status_asks_those_whom_it_waits_for(shop: Shop, look: Callable[[], None]) -> None:
    waiting, paying, doubtful, leaving = (shop.place() for _ in range(4))
    shop.hear(reserved(waiting), reserved(paying), reserved(doubtful), reserved(leaving))
    shop.hear(started(paying), unknown(doubtful, seconds=3_600))
    shop.cancel(leaving)
    for order_id in (waiting, paying, doubtful, leaving):
        _wait(shop, order_id)
    look()
    assert shop.told(waiting)[2:] == ["PaymentRequested"]
    assert shop.told(paying)[2:] == ["PaymentRequested"]
    assert shop.told(doubtful)[2:] == [], "payments has named the time of the next try"
    assert shop.told(leaving)[4:] == ["OrderCancelling", "PaymentGiveUpRequested"]


def test_it_is_asked_again_later_each_time_and_patience_begins_anew_with_an_answer(
    shop: Shop, look: Callable[[], None]
) -> None:
    order_id = shop.place()
    _wait(shop, order_id)
    for expected in (1, 2, 3):
        look()
        look()
        assert _asks(shop, order_id) == expected
        shop.run("UPDATE unfinished SET next_ask_at = now()")
    [row] = _stuck(shop)
    assert (row.id, row.requests_sent) == (order_id, 3)
    shop.hear(reserved(order_id))
    assert (_asks(shop, order_id), _stuck(shop)) == (0, [])


def test_while_our_own_facts_are_not_relayed_nobody_is_asked_again(shop: Shop, look: Callable[[], None]) -> None:
    """After an outage of the broker every order is late, and a second request for each would make it later."""
    order_id = shop.place()
    _wait(shop, order_id)
    shop.run("UPDATE outbox SET created_at = now() - interval '1 minute'")
    look()
    look()
    assert shop.told(order_id) == ["OrderPlaced"]
    shop.run("UPDATE outbox SET created_at = now()")
    look()
    assert shop.told(order_id) == ["OrderPlaced", "OrderPlaced"]


def test_two_instances_of_the_job_at_once_ask_once(shop: Shop, other: Shop) -> None:
    order_ids = [shop.place() for _ in range(20)]
    for order_id in order_ids:
        _wait(shop, order_id)
    with ThreadPoolExecutor() as threads:
        for look in [threads.submit(Patrol(each.database, lambda: None).look) for each in (shop, other)]:
            look.result(timeout=20)
    assert [shop.told(order_id) for order_id in order_ids] == [["OrderPlaced"] * 2] * 20
    assert {_asks(shop, order_id) for order_id in order_ids} == {1}


def test_an_answer_that_is_quicker_than_the_job_leaves_nothing_to_ask(shop: Shop, other: Shop) -> None:
    """What was read before the lock is read again after it: else a paid order would be asked for its money again."""
    order_id = shop.place()
    shop.hear(reserved(order_id))
    _wait(shop, order_id)
    due = shop.database.read(lambda connection: queries.waits_of(connection, [order_id]))
    assert [wait.id for wait in due] == [order_id]
    other.hear(captured(order_id))
    chased = shop.database.write(lambda connection: commands.chase_orders(connection, [order_id]))
    assert (dict(chased), shop.told(order_id)[2:]) == ({}, ["OrderCompleted"])


def test_goods_are_asked_for_again_when_inventory_repeats_what_is_missing(shop: Shop, look: Callable[[], None]) -> None:
    """A supplier order that got lost would leave the order waiting for ever, with nobody to deliver."""
    order_id = shop.place(("A", 5))
    shop.hear(short(order_id))
    _wait(shop, order_id, seconds=4_000)
    look()
    assert shop.told(order_id) == ["OrderPlaced", "SupplierOrderRequested", "OrderPlaced"]
    version = shop.order(order_id).version
    shop.hear(short(order_id))
    assert shop.told(order_id)[3:] == ["SupplierOrderRequested"]
    assert shop.facts(order_id)[3] == shop.facts(order_id)[1]
    assert (shop.status(order_id), shop.order(order_id).version) == ("AWAITING_RESTOCK", version)


def test_orders_that_wait_long_are_looked_at_once_and_then_when_they_are_due(shop: Shop) -> None:
    """A look at each of 100,000 waiting orders every second would cost the others more than their own steps."""
    patrol = Patrol(shop.database, lambda: None, piece=3)
    waiting = [shop.place(("A", 5)) for _ in range(7)]
    shop.hear(*(short(order_id) for order_id in waiting))
    for order_id in waiting:
        _wait(shop, order_id, seconds=40)
    for _ in range(4):
        patrol.look()
    assert shop.rows("SELECT 1 FROM unfinished WHERE next_ask_at IS NULL") == []
    assert shop.database.read(lambda connection: queries.due_ids(connection, 100)) == []
    late = shop.place()
    shop.hear(reserved(late, seconds=-1))
    patrol.look()
    assert shop.told(late)[-1] == "PaymentGiveUpRequested", "and nobody behind them waits for his turn"


def test_a_settled_order_that_moves_on_is_looked_at_when_its_new_status_says(shop: Shop) -> None:
    """Left as it was, its row would say: an hour, and its reservation would be over after a second."""
    patrol = Patrol(shop.database, lambda: None)
    order_id = shop.place(("A", 5))
    shop.hear(short(order_id))
    _wait(shop, order_id, seconds=40)
    patrol.look()
    shop.hear(reserved(order_id, seconds=-1))
    patrol.look()
    assert shop.told(order_id)[-1] == "PaymentGiveUpRequested"


def test_finding_what_is_due_reads_an_index_and_never_all_that_waits(shop: Shop) -> None:
    shop.run(
        "INSERT INTO unfinished (order_id, asks, next_ask_at)"
        " SELECT gen_random_uuid(), 0, now() + interval '1 hour' FROM generate_series(1, 20000)"
    )
    shop.run("ANALYZE unfinished")
    for sql in (
        "SELECT order_id FROM unfinished WHERE next_ask_at <= now() ORDER BY next_ask_at LIMIT 5000",
        "SELECT count(*) FROM unfinished WHERE asks > 0",
    ):
        plan = "\n".join(row[0] for row in shop.rows(f"EXPLAIN {sql}"))
        assert "Seq Scan" not in plan, plan


def test_resume_asks_at_once_and_is_written_down(shop: Shop) -> None:
    order_id = shop.place()
    [shown] = _resume(shop, order_id)
    assert shown.standing.id == order_id
    assert shop.told(order_id) == ["OrderPlaced", "OrderPlaced"]
    [entry] = shop.rows("SELECT actor, action, subject, details FROM audit")
    assert (entry.actor, entry.action, entry.subject) == ("operator", "resume_order", order_id)
    assert entry.details == {"status": "PENDING", "sent": ["OrderPlaced"]}


def test_an_order_that_has_ended_or_never_was_cannot_be_resumed(shop: Shop) -> None:
    ended, waiting = shop.place(), shop.place()
    shop.hear(reserved(ended), captured(ended))
    first, second, third = _resume(shop, ended, ids.new_id(), waiting)
    assert isinstance(first, OrderNotResumable)
    assert first.metadata == {"status": "COMPLETED"}
    assert isinstance(second, OrderNotFound)
    assert third.standing.id == waiting
    assert len(shop.rows("SELECT 1 FROM audit")) == 1


def test_a_resume_while_the_answer_comes_changes_nothing_that_was_decided(shop: Shop, other: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    with ThreadPoolExecutor() as threads:
        resuming = [threads.submit(_resume, shop, order_id) for _ in range(5)]
        other.hear(started(order_id))
        for each in resuming:
            each.result(timeout=20)
    shop.hear(captured(order_id))
    assert (shop.status(order_id), shop.letters()) == ("COMPLETED", [])
    assert shop.steps(order_id) == ["PENDING", "RESERVED", "PAYMENT_PROCESSING", "COMPLETED"]


def test_a_stuck_order_names_the_letter_that_holds_it_up(shop: Shop, look: Callable[[], None]) -> None:
    order_id = shop.place()
    shop.hear(released(order_id))
    _wait(shop, order_id)
    look()
    [stuck] = _stuck(shop)
    assert "has not asked for its stock to be released" in stuck.reason


def test_a_resume_has_what_is_parked_of_the_order_tried_at_once(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(released(order_id))
    shop.run("UPDATE parked_keys SET next_try_at = now() + interval '1 hour'")
    shop.cancel(order_id)
    shop.folding.retry_due()
    assert shop.status(order_id) == "CANCELLING"
    _resume(shop, order_id)
    shop.folding.retry_due()
    assert (shop.status(order_id), shop.letters()) == ("CANCELLED", [])


def test_stuck_orders_come_in_pages_newest_first(shop: Shop, look: Callable[[], None]) -> None:
    order_ids = [shop.place() for _ in range(3)]
    for order_id in order_ids:
        _wait(shop, order_id)
    look()
    read = shop.database.read
    first, token = read(lambda connection: queries.stuck_orders(connection, 2, ""))
    second, end = read(lambda connection: queries.stuck_orders(connection, 2, token))
    assert [each.id for each in [*first, *second]] == order_ids[::-1]
    assert end == ""


def test_an_operator_is_shown_the_reason_and_the_time_of_the_next_try(shop: Shop, look: Callable[[], None]) -> None:
    order_id = shop.place()
    _wait(shop, order_id)
    look()
    writer: Any = None
    asking = StuckOrderServicer(shop.database, writer).ListStuckOrders(pb.ListStuckOrdersRequest(), writer)
    answer = asyncio.run(asking)
    [stuck] = answer.stuck_orders
    assert (stuck.order_id, stuck.reason) == (order_id, "Inventory has not said whether its stock is held.")
    assert (stuck.requests_sent, stuck.HasField("next_try_at"), answer.next_page_token) == (1, True, "")


def test_what_waits_is_counted_by_status_and_attention(shop: Shop) -> None:
    doubtful = shop.place()
    shop.hear(reserved(doubtful), unknown(doubtful))
    shop.place()
    waiting = shop.database.read(queries.waiting_orders)
    attended = shop.database.read(queries.attended_orders)
    assert {each.name: each.orders for each in waiting} == {"PAYMENT_PROCESSING": 1, "PENDING": 1}
    assert {each.name: each.orders for each in attended} == {"payment_unknown": 1}
    Census(shop.database).count()


def test_a_time_that_is_long_past_hurts_nobody(shop: Shop, look: Callable[[], None]) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    fact = unknown(order_id)
    fact.next_try_at.CopyFrom(in_seconds(-86_400))
    shop.hear(fact)
    _wait(shop, order_id)
    look()
    assert shop.told(order_id)[-1] == "PaymentRequested"
