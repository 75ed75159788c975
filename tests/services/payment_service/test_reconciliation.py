"""The provider's books compared with ours: every difference is found, however the batches fall, and forgotten again."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from chassis.database import Database, rows_of, run_sql
from payment_service.adapters.ledger import SimulatedJournal
from payment_service.commands import SettlePayment
from payment_service.domain import Refused, Settlement, Status
from payment_service.jobs import Doubts, Reconciliation
from payment_service.queries import list_differences
from payment_service.simulator.ledger import Ledger
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import Desk, an_order, payment_requested
from tests.services.payment_service.test_operators import commands, payment_id
from tests.services.payment_service.test_refusals import AwayProvider
from tests.waiting import until


class StubbornProvider(AwayProvider):
    """Takes money, and will not take it back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_back = True

    async def void(self, key: str) -> Refused:
        return Refused("settled already")


@pytest.fixture
def reconciliation(desk: Desk) -> Reconciliation:
    return _reconciliation(desk)


def _reconciliation(desk: Desk, batch: int = 1_000, grace: float = 0.0) -> Reconciliation:
    journal = SimulatedJournal(Ledger(desk.simulator))
    return Reconciliation(desk.database, journal, every_seconds=0, grace_seconds=grace, batch=batch)


def _found(database: Database) -> set[str]:
    return {each.difference.order_id for each in database.read(lambda c: list_differences(c, 100))}


def _ended(desk: Desk, *methods: str) -> list[str]:
    orders = [an_order() for _ in methods]
    desk.hear(*(payment_requested(order, method) for order, method in zip(orders, methods, strict=True)))
    assert until(lambda: desk.books.open_calls() == 0)
    return orders


def _in_the_books(desk: Desk, sql: str, order: str) -> None:
    desk.simulator.write(lambda connection: run_sql(connection, sql, order=order))


def _differences_told() -> float | None:
    return REGISTRY.get_sample_value("payments_ledger_differences")


@pytest.mark.parametrize("batch", [1, 2, 3, 1_000])
def test_every_difference_is_found_however_the_batches_fall(desk: Desk, batch: int) -> None:
    orders = _ended(desk, "sim_ok", "sim_ok", "sim_declined", "sim_ok", "sim_ok", "sim_ok")
    _in_the_books(desk, "UPDATE entries SET amount_minor = 511 WHERE order_id = CAST(:order AS uuid)", orders[1])
    _in_the_books(desk, "UPDATE entries SET outcome = 'captured' WHERE order_id = CAST(:order AS uuid)", orders[2])
    _in_the_books(desk, "DELETE FROM entries WHERE order_id = CAST(:order AS uuid)", orders[4])
    job = _reconciliation(desk, batch)

    for _ in range(20):
        job.compare()

    assert _found(desk.database) == {orders[1], orders[2], orders[4]}
    assert _differences_told() == 3


def test_money_that_the_provider_holds_under_a_key_of_ours_that_we_do_not_know_is_found(
    desk: Desk, reconciliation: Reconciliation
) -> None:
    [order] = _ended(desk, "sim_ok")
    sql = "DELETE FROM payments WHERE order_id = CAST(:order AS uuid)"
    desk.database.write(lambda connection: run_sql(connection, sql, order=order))

    reconciliation.compare()

    assert _found(desk.database) == {""}


def test_books_that_agree_again_are_forgotten(desk: Desk, reconciliation: Reconciliation) -> None:
    [order] = _ended(desk, "sim_ok")
    _in_the_books(desk, "UPDATE entries SET amount_minor = 511 WHERE order_id = CAST(:order AS uuid)", order)
    reconciliation.compare()
    assert _differences_told() == 1

    _in_the_books(desk, "UPDATE entries SET amount_minor = 510 WHERE order_id = CAST(:order AS uuid)", order)
    reconciliation.compare()

    assert _found(desk.database) == set()
    assert _differences_told() == 0


def test_a_difference_is_told_only_when_it_has_lasted(desk: Desk) -> None:
    [order] = _ended(desk, "sim_ok")
    _in_the_books(desk, "UPDATE entries SET amount_minor = 511 WHERE order_id = CAST(:order AS uuid)", order)
    job = _reconciliation(desk, grace=0.3)

    assert until(lambda: _compared(job, desk) == [order])
    assert _found(desk.database) == set()

    assert until(lambda: _compared(job, desk) == [order] and _found(desk.database) == {order})


def _compared(job: Reconciliation, desk: Desk) -> list[str]:
    """The orders whose payments are noted to differ after one more run, told or not."""
    job.compare()
    rows = desk.database.read(lambda connection: rows_of(connection, "SELECT order_id FROM differences"))
    return [row.order_id for row in rows]


def test_every_end_that_is_no_mistake_leaves_no_difference(desk: Desk, reconciliation: Reconciliation) -> None:
    orders = _ended(desk, "sim_ok", "sim_declined", "sim_timeout_charged", "sim_timeout_not_charged", "sim_ok")
    desk.hear(events.PaymentVoidRequested(order_id=orders[4]), events.PaymentGiveUpRequested(order_id=an_order()))
    assert until(lambda: desk.books.status(orders[4]) == Status.VOIDED)

    reconciliation.compare()

    assert _found(desk.database) == set()


def test_money_that_an_operator_gave_back_past_the_provider_leaves_no_difference(a_desk: Callable[..., Desk]) -> None:
    desk = a_desk(provider=StubbornProvider())
    order = an_order()
    desk.hear(payment_requested(order), events.PaymentVoidRequested(order_id=order))
    assert until(lambda: ("VOID", "refused") in desk.books.attempts(order))
    word = SettlePayment(payment_id(desk, order), Settlement.GIVEN_BACK, "paid out by bank transfer")
    asyncio.run(commands(desk).settle(word))
    assert desk.books.status(order) == Status.VOIDED

    sql = (
        "INSERT INTO entries (key, kind, order_id, amount_minor, currency, payment_method, outcome)"
        " VALUES (CAST(:key AS uuid), 'charge', CAST(:order AS uuid), 510, 'GBP', 'sim_ok', 'captured')"
    )
    desk.simulator.write(lambda connection: run_sql(connection, sql, key=word.payment_id, order=order))
    _reconciliation(desk).compare()

    assert _found(desk.database) == set()


def test_unknown_payments_are_counted_by_their_age(a_desk: Callable[..., Desk]) -> None:
    desk = a_desk(unknown_schedule=(timedelta(hours=1),))
    orders = [an_order() for _ in range(3)]
    desk.hear(*(payment_requested(order, "sim_timeout_charged") for order in orders))
    assert until(lambda: {desk.books.status(order) for order in orders} == {Status.UNKNOWN})
    sql = "UPDATE payments SET created_at = now() - interval '2 hours' WHERE order_id = CAST(:order AS uuid)"
    desk.database.write(lambda connection: run_sql(connection, sql, order=orders[0]))

    Doubts(desk.database).count()

    ages = ("under a minute", "under an hour", "under a day", "a day or more")
    assert [REGISTRY.get_sample_value("payments_unknown", {"age": age}) for age in ages] == [2, 0, 1, 0]
