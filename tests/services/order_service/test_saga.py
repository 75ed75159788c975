"""The saga on a real Postgres: facts folded in batches, told once, whatever comes twice, late, early or at once."""

import pytest

from chassis import clock, ids
from chassis.database import LostUpdate
from order_service import repository
from protos.payments.events.v1.events_pb2 import PaymentVoided
from protos.suppliers.events.v1.events_pb2 import SupplierOrderFailed
from tests.services.order_service.saga_facts import (
    captured,
    closed,
    declined,
    rejected,
    released,
    reserved,
    short,
    started,
    unknown,
)
from tests.services.order_service.shop import TRACE, Shop


def test_the_happy_path_is_three_facts_of_orders(shop: Shop) -> None:
    order_id = shop.place(("A", 2))
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested", "OrderCompleted"]
    assert shop.steps(order_id) == ["PENDING", "RESERVED", "PAYMENT_PROCESSING", "COMPLETED"]
    row = shop.order(order_id)
    assert (row.status, row.previous_status, row.payment_status, row.version) == (
        "COMPLETED", "PAYMENT_PROCESSING", "PAID", 4,
    )  # fmt: skip
    assert (row.is_held, row.reserved_until, row.completed_at) == (True, None, row.updated_at)
    assert shop.unfinished() == set()


def test_money_is_asked_for_with_all_that_payments_needs(shop: Shop) -> None:
    order_id = shop.place(("A", 2))
    shop.hear(reserved(order_id, seconds=600))
    [_, asked] = shop.facts(order_id)
    assert (asked.customer_id, asked.amount_minor, asked.currency, asked.payment_method) == (
        "c-17",
        510,
        "GBP",
        "sim_ok",
    )
    assert asked.reserved_until.ToDatetime(clock.now().tzinfo) == shop.order(order_id).reserved_until


def test_a_poll_of_many_facts_is_one_transaction_with_each_fact_in_its_place(shop: Shop) -> None:
    orders = [shop.place(("A", 1)) for _ in range(60)]
    shop.hear(*(reserved(order_id) for order_id in orders))
    shop.hear(*(captured(order_id) for order_id in reversed(orders)))
    assert {shop.status(order_id) for order_id in orders} == {"COMPLETED"}
    assert len(shop.rows("SELECT DISTINCT transaction_id FROM timeline WHERE to_status = 'COMPLETED'")) == 1
    assert [len(changed) for changed in shop.committed] == [60, 60]


def test_a_fact_that_is_delivered_again_changes_nothing(shop: Shop) -> None:
    order_id = shop.place()
    record = shop.sealed(reserved(order_id))
    shop.deliver(record, record)
    shop.deliver(record)
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested"]


def test_a_fact_that_is_told_anew_changes_nothing(shop: Shop) -> None:
    """A service that is asked twice tells again, as another event: the inbox cannot know it, the state must."""
    order_id = shop.place()
    shop.hear(reserved(order_id), reserved(order_id))
    shop.hear(captured(order_id), reserved(order_id), captured(order_id))
    shop.hear(reserved(order_id), captured(order_id))
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested", "OrderCompleted"]
    assert shop.letters() == []


def test_a_fact_that_comes_too_early_waits_for_the_one_before_it(shop: Shop) -> None:
    """Dropped, the order would wait for its money for good."""
    order_id = shop.place()
    shop.hear(captured(order_id))
    assert shop.letters() == [(order_id, "too_early")]
    shop.hear(reserved(order_id))
    assert shop.status(order_id) == "RESERVED", "another topic's facts do not wait behind it"
    assert shop.folding.retry("payments.events", order_id)
    assert (shop.status(order_id), shop.letters()) == ("COMPLETED", [])


def test_a_fact_about_an_order_that_is_not_there_is_parked_and_not_lost(shop: Shop) -> None:
    stranger, order_id = ids.new_id(), shop.place()
    shop.hear(reserved(stranger), reserved(order_id))
    assert (shop.letters(), shop.status(order_id)) == ([(stranger, "too_early")], "RESERVED")


def test_a_malformed_order_id_is_parked_alone(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved("nonsense"), reserved(order_id))
    assert (shop.letters(), shop.status(order_id)) == ([("nonsense", "error")], "RESERVED")


def test_a_fact_that_loses_is_applied_again_from_the_start(shop: Shop, other: Shop) -> None:
    """Swallowed, it would count as applied though nobody wrote it."""
    order_id = shop.place()
    with shop.database.begin() as connection:
        loaded = repository.load(connection, [order_id])
        order = loaded.orders[order_id]
        order.stored_version = 7
        order.reserve(clock.now())
        with pytest.raises(LostUpdate):
            repository.save(connection, loaded)


def test_two_consumers_with_the_same_orders_take_turns(shop: Shop, other: Shop) -> None:
    orders = [shop.place() for _ in range(20)]
    first = shop.beside(shop.hear, *(reserved(order_id) for order_id in orders))
    second = other.beside(other.hear, *(reserved(order_id) for order_id in reversed(orders)))
    first.result(timeout=20), second.result(timeout=20)
    for order_id in orders:
        assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested"]
    assert shop.letters() == []


def test_a_rejected_order_keeps_what_was_short_for_whoever_asks_again(shop: Shop) -> None:
    order_id = shop.place(("A", 5))
    shop.hear(rejected(order_id))
    row = shop.order(order_id)
    assert (row.status, row.failure_code, row.is_held) == ("FAILED", "insufficient_stock", False)
    assert row.failure_details == [{"sku": "A", "requested": 5, "available": 2}]
    assert shop.told(order_id) == ["OrderPlaced", "OrderFailed"]
    assert shop.unfinished() == set()


def test_a_short_order_waits_for_the_supplier_and_goes_on_when_it_is_whole(shop: Shop) -> None:
    order_id = shop.place(("A", 5))
    shop.hear(short(order_id))
    assert (shop.status(order_id), shop.order(order_id).attention) == ("AWAITING_RESTOCK", "supplier_wait")
    [_, asked] = shop.facts(order_id)
    assert (asked.sku, asked.quantity, asked.supplier, asked.supplier_scenario) == ("A", 3, "acme", "ok")
    shop.hear(reserved(order_id))
    assert (shop.status(order_id), shop.order(order_id).attention) == ("RESERVED", None)


def test_goods_that_will_not_come_fail_the_order_after_its_stock_is_given_back(shop: Shop) -> None:
    order_id = shop.place(("A", 5))
    shop.hear(short(order_id))
    shop.hear(SupplierOrderFailed(order_id=order_id, sku="A", failure_code="supplier_delayed", reason="Too long."))
    assert shop.told(order_id)[-2:] == ["OrderCompensating", "SupplierOrderCancelRequested"]
    shop.hear(released(order_id))
    row = shop.order(order_id)
    assert (row.status, row.failure_code, row.failure_message) == ("FAILED", "supplier_delayed", "Too long.")
    assert shop.told(order_id)[-1] == "OrderFailed"


def test_a_declined_order_fails_after_its_stock_is_given_back(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    shop.hear(declined(order_id))
    assert (shop.status(order_id), shop.unfinished()) == ("COMPENSATING", {order_id})
    shop.hear(released(order_id))
    row = shop.order(order_id)
    assert (row.status, row.payment_status, row.failure_message) == ("FAILED", "FAILED", "No funds.")
    assert shop.told(order_id)[2:] == ["OrderCompensating", "OrderFailed"]
    assert shop.facts(order_id)[-1].failure_code == "payment_declined"
    assert shop.unfinished() == set()


def test_an_unknown_payment_is_shown_and_resolved_by_whatever_is_heard_later(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    shop.hear(unknown(order_id))
    row = shop.order(order_id)
    assert (row.status, row.payment_status, row.attention) == ("PAYMENT_PROCESSING", "UNKNOWN", "payment_unknown")
    assert row.next_try_at > clock.now()
    shop.hear(captured(order_id))
    row = shop.order(order_id)
    assert (row.status, row.payment_status, row.attention, row.next_try_at) == ("COMPLETED", "PAID", None, None)
    assert shop.steps(order_id) == ["PENDING", "RESERVED", "PAYMENT_PROCESSING", "PAYMENT_PROCESSING", "COMPLETED"]


def test_late_money_for_an_expired_order_goes_back_and_the_order_stays_expired(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    shop.hear(closed(order_id))
    shop.hear(released(order_id))
    shop.hear(captured(order_id))
    assert (shop.status(order_id), shop.order(order_id).payment_status) == ("EXPIRED", "PAID")
    assert shop.told(order_id)[-1] == "PaymentVoidRequested"
    shop.hear(PaymentVoided(order_id=order_id))
    assert (shop.status(order_id), shop.order(order_id).payment_status) == ("EXPIRED", "VOIDED")


def test_a_whole_life_in_one_poll_takes_every_step(shop: Shop) -> None:
    """After a restore the topics may bring more steps at once than an update may take."""
    order_id = shop.place(("A", 5))
    shop.hear(
        short(order_id),
        reserved(order_id),
        started(order_id),
        unknown(order_id),
        declined(order_id),
        released(order_id),
    )
    assert shop.steps(order_id) == [
        "PENDING", "AWAITING_RESTOCK", "RESERVED", "PAYMENT_PROCESSING", "PAYMENT_PROCESSING", "COMPENSATING", "FAILED",
    ]  # fmt: skip
    row = shop.order(order_id)
    assert (row.status, row.version, row.failure_code) == ("FAILED", 7, "payment_declined")
    assert (shop.letters(), shop.unfinished()) == ([], set())


def test_versions_are_contiguous_and_the_timeline_ends_where_the_order_stands(shop: Shop) -> None:
    orders = [shop.place() for _ in range(4)]
    shop.hear(*(reserved(order_id) for order_id in orders))
    shop.hear(captured(orders[0]), declined(orders[1]), closed(orders[2]))
    shop.cancel(orders[3])
    for order_id in orders:
        timeline = shop.rows("SELECT * FROM timeline WHERE order_id = CAST(:id AS uuid) ORDER BY version", id=order_id)
        assert [step.version for step in timeline] == list(range(1, len(timeline) + 1))
        assert [step.from_status for step in timeline[1:]] == [step.to_status for step in timeline[:-1]]
        row = shop.order(order_id)
        assert (timeline[-1].version, timeline[-1].to_status) == (row.version, row.status)


def test_a_step_names_the_context_and_the_trace_that_made_it(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    timeline = shop.rows("SELECT actor, trace_id FROM timeline ORDER BY version")
    assert [step.actor for step in timeline] == ["customer", "inventory", "payments", "payments"]
    assert {step.trace_id.replace("-", "") for step in timeline} == {TRACE[3:35]}


def test_the_updates_of_the_happy_path_touch_no_index(shop: Shop) -> None:
    """An index on anything that a step changes would be written at every step, and all others with it."""
    orders = [shop.place() for _ in range(30)]
    shop.hear(*(reserved(order_id) for order_id in orders))
    shop.hear(*(captured(order_id) for order_id in orders))
    sql = "SELECT pg_stat_force_next_flush()"
    shop.rows(sql)
    stats = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'orders'"
    [row] = shop.rows(stats)
    assert row.n_tup_hot_upd / max(row.n_tup_upd, 1) > 0.5
    indexed = "SELECT indexdef FROM pg_indexes WHERE tablename = 'orders'"
    changed = ("status", "version", "updated_at", "reserved_until", "payment_status", "completed_at")
    assert not [row for row in shop.rows(indexed) for column in changed if f" {column}" in row.indexdef]
