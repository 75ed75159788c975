"""Totals and leaderboards are what the orders come to, whatever happens on the way (I10)."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from chassis.errors import Refusal
from deploy.local import Infrastructure
from order_service.privacy import commands as privacy
from order_service.reports import commands
from order_service.reports.ports import NotThisEdition
from tests.reports import in_redis
from tests.services.order_service.refunding import a_refund, refund_of, succeeded
from tests.services.order_service.reporting import Interrupted, Office
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import Shop


@pytest.fixture
def office(shop: Shop, infrastructure: Infrastructure) -> Iterator[Office]:
    shop.sell("D", price=3, version=2)
    made = Office(shop, infrastructure.redis_url)
    yield made
    made.redis.close()


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_without_any_state_what_is_there_is_counted_and_published(office: Office) -> None:
    office.complete(("A", 2), ("B", 1), customer="anna")
    office.complete(("A", 1), ("A", 1), customer="ben")
    office.shop.place(("A", 9), customer="ben")

    office.settle()

    assert office.wrong() == []
    assert office.one("SELECT count(*) FROM report_customers") == 2


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_reports_are_what_the_orders_come_to(office: Office, seed: int) -> None:
    """Orders, refunds and repeats, two instances of the job, rebuilds, flushes and deaths, in any order."""
    choice = random.Random(seed)
    keepers = [office.keeper, office.instance(page=3, piece=2)]
    orders: list[str] = []
    waiting: list[str] = []

    def place() -> None:
        lines = [(choice.choice("ABCD"), choice.randint(1, 5)) for _ in range(choice.randint(1, 4))]
        waiting.append(office.shop.place(*lines, customer=choice.choice(("anna", "ben", "eva"))))

    def complete() -> None:
        if waiting:
            order_id = waiting.pop(choice.randrange(len(waiting)))
            office.shop.hear(reserved(order_id))
            office.shop.hear(captured(order_id), captured(order_id))
            orders.append(order_id)

    def give_back() -> None:
        if orders:
            _refund_something(office, choice, choice.choice(orders))

    def go_on() -> None:
        choice.choice(keepers).go_on()

    def die_after_the_change() -> None:
        office.boards.after.append(raising(Interrupted()))
        with suppress(Interrupted):
            choice.choice(keepers).go_on()
        office.boards.after.clear()

    def flush() -> None:
        office.redis.flushdb()

    def hear_again() -> None:
        if orders:
            office.shop.hear(captured(choice.choice(orders)))

    for _ in range(120):
        often = [place] * 6 + [complete] * 6 + [give_back] * 4 + [go_on] * 4
        choice.choice([*often, die_after_the_change, office.rebuild, flush, hear_again])()
    office.settle(choice.choice(keepers))

    assert office.wrong() == []


def _refund_something(office: Office, choice: random.Random, order_id: str) -> None:
    bought = [(line["sku"], line["quantity"]) for line in office.shop.order(order_id).items]
    items = [(sku, choice.randint(1, quantity)) for sku, quantity in choice.sample(bought, choice.randint(0, 1))]
    amount = choice.choice((None, choice.randint(1, 1_000)))
    is_restocked = choice.random() < 0.3
    [asked] = office.shop.refund(a_refund(order_id, amount_minor=amount, items=items, restock=is_restocked))
    if not isinstance(asked, Refusal):
        fact = succeeded(order_id, refund_of(asked), asked.refund.amount_minor)
        office.shop.hear(fact, fact)


def test_who_dies_between_redis_and_the_deletion_leaves_nothing_that_is_not_done_again(office: Office) -> None:
    office.settle()
    office.complete(("A", 2), customer="anna")
    office.boards.after.append(raising(Interrupted()))

    with pytest.raises(Interrupted):
        office.keeper.go_on()
    assert office.one("SELECT count(*) FROM report_changes") == 1
    office.settle(office.instance())

    assert office.wrong() == []


def test_who_dies_while_it_counts_leaves_the_marks(office: Office) -> None:
    office.settle()
    office.complete()

    with pytest.raises(Interrupted), office.shop.before_statement("WITH taken", raising(Interrupted())):
        office.keeper.go_on()
    assert office.one("SELECT count(*) FROM report_marks") == 1
    office.settle()

    assert office.wrong() == []


def test_who_froze_before_it_wrote_does_not_write_over_what_came_after(office: Office) -> None:
    """Absolute totals are harmless when they are repeated, and not when they are old."""
    office.settle()
    office.complete(("A", 1), customer="anna")
    other = office.instance()

    def others_go_on() -> None:
        office.complete(("A", 1), customer="anna")
        other.go_on()

    office.boards.before.append(others_go_on)
    office.keeper.go_on()
    office.settle()

    assert office.wrong() == []


def test_a_late_turn_is_refused_by_redis_itself(office: Office) -> None:
    office.settle()
    edition = office.boards.edition()
    office.boards.change(edition, 2**60, {}, {})

    with pytest.raises(NotThisEdition):
        office.boards.change(edition, 2**60 - 1, {}, {})


def test_a_mark_that_commits_late_under_a_smaller_id_is_counted(office: Office) -> None:
    """Deleting all marks up to the largest id that was read would lose it."""
    office.settle()
    order_id = office.shop.place(("A", 1), customer="anna")
    office.shop.hear(reserved(order_id))

    def meanwhile() -> None:
        office.complete(("B", 1), customer="ben")
        office.keeper.go_on()

    # The first order's mark has its id by now, and is not committed.
    with office.shop.before_statement("INSERT INTO outbox", meanwhile):
        office.shop.hear(captured(order_id))
    office.settle()

    assert office.wrong() == []
    assert office.one("SELECT count(*) FROM report_customers WHERE customer_id IN ('anna', 'ben')") == 2


def test_two_instances_at_once_count_every_mark_once(office: Office) -> None:
    office.settle()
    for customer in ("anna", "ben"):
        order_id = office.complete(("A", 3), customer=customer)
        office.give_back(order_id, 100)
    other = office.instance()

    passes = [office.shop.beside(keeper.go_on) for keeper in (office.keeper, other) for _ in range(4)]
    for each in passes:
        each.result(timeout=20)
    office.settle()

    assert office.wrong() == []


@pytest.mark.parametrize("part", ["WITH taken", "WITH present", "SET generation = building"])
def test_what_is_completed_while_a_rebuild_counts_counts_once(office: Office, part: str) -> None:
    """Marks and orders of a step are read in one snapshot: read after each other, this order would count twice."""
    first = office.complete(("A", 1), customer="anna")
    late = office.shop.place(("B", 2), customer="anna")
    office.shop.hear(reserved(late))
    office.settle()
    office.rebuild()

    def meanwhile() -> None:
        office.shop.hear(captured(late))
        office.give_back(first, 55)

    with office.shop.before_statement(part, meanwhile):
        office.keeper.go_on()
    office.settle()

    assert office.wrong() == []


def test_a_rebuild_mends_what_is_wrong_and_orders_flow_meanwhile(office: Office) -> None:
    orders = [office.complete(("A", 1), customer=f"c-{number}") for number in range(8)]
    office.settle()
    office.shop.run("UPDATE report_customers SET spent_minor = 1")
    office.shop.run("UPDATE report_products SET units = 0")
    office.shop.run("INSERT INTO report_refunds VALUES (CAST(:id AS uuid), 7, '{}')", id=orders[0])

    office.rebuild()
    while office.shop.database.write(lambda connection: commands.count_next_orders(connection, 2)):
        office.complete(("B", 1), customer="c-1")
        office.give_back(orders.pop(), 20)
        office.shop.database.write(commands.count_marks)
    office.settle()

    assert office.wrong() == []
    office.keeper.tidy()
    assert office.one("SELECT count(DISTINCT generation) FROM report_customers") == 1


def test_a_rebuild_that_is_asked_for_again_goes_on(office: Office) -> None:
    office.complete()
    office.settle()
    for _ in range(2):
        office.rebuild()
    building = office.one("SELECT building FROM report_state")
    office.settle()

    assert office.one("SELECT generation FROM report_state") == building
    assert office.wrong() == []


def test_after_a_flush_the_boards_come_back_by_themselves(office: Office) -> None:
    office.complete(customer="anna")
    office.settle()

    office.redis.flushdb()
    office.complete(customer="ben")
    office.settle()

    assert office.wrong() == []


def test_a_flush_while_boards_are_loaded_publishes_nothing_that_lacks_its_beginning(office: Office) -> None:
    for number in range(6):
        office.complete(customer=f"c-{number}")
    flushed: list[object] = []
    office.boards.loaded.append(lambda: flushed.append(office.redis.flushdb()))

    office.settle()

    assert flushed
    assert office.wrong() == []


def test_changes_that_wait_too_long_for_redis_are_left_to_a_new_edition(office: Office) -> None:
    office.complete(customer="anna")
    office.settle()
    before = office.boards.edition()
    office.shop.run("INSERT INTO report_changes (customers, skus) SELECT '{}', '{}' FROM generate_series(1, 1001)")

    office.settle()

    assert office.boards.edition() > before
    assert office.wrong() == []


def test_figures_beyond_what_a_score_can_hold_stay_in_postgres(office: Office) -> None:
    """A float of 64 bits would round them: 2^53 + 1 is no score."""
    office.shop.sell("GOLD", price=9_000_000_000_000_000)
    for _ in range(2):
        office.complete(("GOLD", 1), customer="croesus")
    for _ in range(6):
        office.keeper.go_on()

    assert not office.one("SELECT is_published FROM report_state")
    assert office.one("SELECT spent_minor FROM report_customers WHERE customer_id = 'croesus'") == 18 * 10**15


def test_a_customer_who_is_forgotten_while_a_rebuild_counts_leaves_no_name(office: Office) -> None:
    """Whatever of theirs is counted already, is marked only, or is counted again at this moment."""
    first = office.complete(("A", 2), customer="anna")
    office.complete(("A", 2), customer="ben")
    office.settle()
    office.complete(("B", 1), customer="anna")
    office.rebuild()
    office.shop.database.write(lambda connection: commands.count_next_orders(connection, 1))

    write = office.shop.database.write
    forgetting = write(lambda connection: privacy.ask_to_forget(connection, "anna", "operator"))
    while write(lambda connection: privacy.forget_next(connection, forgetting, 1)):
        write(lambda connection: commands.count_next_orders(connection, 1))
    assert write(lambda connection: privacy.end_forgetting(connection, forgetting))
    office.give_back(first, 100)
    office.settle()

    assert office.wrong() == []
    assert set(in_redis(office.redis, "customers")) == {forgetting.pseudonym, "ben"}
