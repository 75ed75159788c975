"""Placing on a real Postgres: one order per key, whoever races for it, and whatever became of prices since."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis import ids
from chassis.batcher import Writer
from chassis.errors import Overloaded, Refusal, ValidationFailed
from order_service.commands import IMPORT, Placed, PlaceOrder
from order_service.domain import IdempotencyKeyReused, Line, NotInCopy, PriceChanged, ProductInactive, UnknownSku
from tests.services.order_service.shop import TRACE, Shop, a_command, full_outbox, shown_of
from tests.waiting import until


def _kinds(results: list[Any]) -> list[type]:
    return [type(result) for result in results]


def test_an_order_is_stored_with_its_first_step_and_its_first_fact(shop: Shop) -> None:
    order_id = shop.place(("A", 2), ("B", 1), metadata={"note": "gift"}, external_ref="po-1")
    row = shop.order(order_id)
    assert row.items == [
        {"sku": "A", "name": "a A", "quantity": 2, "unit_price_minor": 255},
        {"sku": "B", "name": "a B", "quantity": 1, "unit_price_minor": 255},
    ]
    assert (row.status, row.payment_status, row.total_minor, row.version) == ("PENDING", "NONE", 765, 1)
    assert (row.payment_method, row.metadata, row.external_ref) == ("sim_ok", {"note": "gift"}, "po-1")
    [step] = shop.rows("SELECT * FROM timeline")
    assert (step.from_status, step.to_status, step.actor) == (None, "PENDING", "customer")
    assert step.trace_id.replace("-", "") == TRACE[3:35]
    [placed] = shop.facts(order_id)
    assert (placed.order_id, placed.total_amount_minor, placed.customer_id) == (order_id, 765, "c-17")
    assert [(line.sku, line.quantity) for line in placed.lines] == [("A", 2), ("B", 1)]
    assert shop.unfinished() == {order_id}


def test_what_is_answered_is_what_is_stored(shop: Shop) -> None:
    """The answer is made of what was sent, not read back: both must be the same."""
    command = a_command("k", ("A", 2), metadata={"note": "gift"})
    first = shown_of(shop.ask(command)[0])
    again = shown_of(shop.ask(command._replace(id=ids.new_id()))[0])
    assert first == again


def test_fifty_racers_with_one_key_place_one_order(shop: Shop, other: Shop) -> None:
    futures = [each.beside(each.ask, a_command("same")) for _ in range(25) for each in (shop, other)]
    results = [future.result()[0] for future in futures]
    assert len({shown_of(result).standing.id for result in results}) == 1
    assert Counter(result.is_replayed for result in results) == {False: 1, True: 49}
    assert [row.count for row in shop.rows("SELECT count(*) FROM orders")] == [1]
    assert [row.count for row in shop.rows("SELECT count(*) FROM outbox")] == [1]


def test_who_loses_against_a_transaction_that_is_not_yet_seen_finds_its_order_all_the_same(
    shop: Shop, other: Shop
) -> None:
    """The winner commits after the loser's insert began: that statement's snapshot cannot see it, a second one must."""
    winner = shop.database.engine.connect()
    try:
        transaction = winner.begin()
        won = shown_of(shop.placing.place_orders(winner, [a_command("same")])[0])
        losing = other.beside(other.ask, a_command("same"))
        assert until(shop.is_blocked, seconds=5)
        transaction.commit()
        [lost] = losing.result(timeout=10)
    finally:
        winner.close()
    assert (shown_of(lost).standing.id, lost.is_replayed) == (won.standing.id, True)


def test_equal_keys_in_one_batch_are_folded(shop: Shop) -> None:
    """Unfolded, a batch would lose against itself: its own insert is invisible to the rest of the statement."""
    results = shop.ask(
        a_command("k"), a_command("other"), a_command("k"), a_command("k", ("B", 9)), a_command("k", customer="c-18")
    )
    first, other, again, reused, stranger = results
    assert shown_of(again).standing.id == shown_of(first).standing.id
    assert [placed.is_replayed for placed in (first, other, again, stranger)] == [False, False, True, False]
    assert isinstance(reused, IdempotencyKeyReused)
    assert len({shown_of(placed).standing.id for placed in (first, other, stranger)}) == 3


def test_a_refused_request_leaves_its_key_to_the_next_one_in_the_batch(shop: Shop) -> None:
    results = shop.ask(
        a_command("k", ("NONE", 1), is_copy_complete=True),
        a_command("k", ("NONE", 1), is_copy_complete=True),
        a_command("k", ("A", 1)),
        a_command("k", ("A", 1)),
    )
    assert _kinds(results) == [UnknownSku, UnknownSku, Placed, Placed]
    assert [placed.is_replayed for placed in results[2:]] == [False, True]


def test_the_same_key_for_another_request_is_refused_and_names_the_field(shop: Shop) -> None:
    shop.place(("A", 1))
    shop.ask(a_command("k", ("A", 1)))
    [refusal] = shop.ask(a_command("k", ("A", 2)))
    assert isinstance(refusal, IdempotencyKeyReused)
    assert set(refusal.fields) == {"idempotency_key"}


def test_a_retry_finds_its_order_though_the_price_has_changed(shop: Shop) -> None:
    """A fingerprint with prices in it would make the retry another request."""
    command = a_command("k", ("A", 2), expected_minor=510)
    first = shown_of(shop.ask(command)[0])
    shop.sell("A", price=999, version=2)
    [again] = shop.ask(command._replace(id=ids.new_id()))
    assert (shown_of(again), again.is_replayed) == (first, True)
    [new] = shop.ask(a_command("other", ("A", 2), expected_minor=510))
    assert isinstance(new, PriceChanged)


def test_a_retry_finds_its_order_though_the_product_was_withdrawn(shop: Shop) -> None:
    """Asked in another order, the catalogue would refuse what was placed already."""
    command = a_command("k", ("A", 2))
    first = shown_of(shop.ask(command)[0])
    shop.sell("A", version=2, is_active=False)
    [again, new] = shop.ask(command._replace(id=ids.new_id()), a_command("other", ("A", 2)))
    assert shown_of(again) == first
    assert isinstance(new, ProductInactive)


def test_a_key_that_stands_for_something_else_is_told_before_the_catalogue_is(shop: Shop) -> None:
    shop.ask(a_command("k", ("A", 1)))
    [refusal] = shop.ask(a_command("k", ("NONE", 1)))
    assert isinstance(refusal, IdempotencyKeyReused)


def test_what_the_copy_lacks_is_not_unknown_until_inventory_was_asked(shop: Shop) -> None:
    [lacking, good] = shop.ask(a_command("", ("NONE", 1), ("A", 1)), a_command())
    assert isinstance(lacking, NotInCopy)
    assert lacking.skus == ["NONE"]
    assert isinstance(good, Placed)


def test_a_refusal_does_not_take_its_neighbours_down(shop: Shop) -> None:
    shop.sell("FREE", price=0)
    results = shop.ask(a_command(), a_command("", ("FREE", 3)), a_command("", ("NONE", 1)), a_command())
    assert _kinds(results) == [Placed, ValidationFailed, NotInCopy, Placed]


def test_an_import_brings_its_own_prices_and_date(shop: Shop) -> None:
    december = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    command = a_command("import:shop:536365", ("NOT SOLD", 6), actor=IMPORT, placed_at=december)
    [placed] = shop.ask(command._replace(priced_lines=[Line("NOT SOLD", "a heart", 6, 255)]))
    row = shop.order(shown_of(placed).standing.id)
    assert (row.total_minor, row.placed_at) == (1530, december)
    assert row.created_at > december
    assert shop.rows("SELECT actor FROM timeline")[0].actor == "import"


def test_a_commit_whose_answer_was_lost_is_no_replay(shop: Shop) -> None:
    """Run again from the start, the batch finds its own order under the key, and must not call it somebody else's."""
    command = a_command("k")
    shop.ask(command)
    [again] = shop.ask(command)
    assert not again.is_replayed


def test_a_full_outbox_refuses_what_is_new_and_still_finds_what_is_there(shop: Shop) -> None:
    command = a_command("k")
    shop.ask(command)
    shop.placing.backlog.has_room, shop.placing.backlog.look_at = False, float("inf")
    [again, new] = shop.ask(command._replace(id=ids.new_id()), a_command())
    assert isinstance(again, Placed)
    assert isinstance(new, Overloaded)
    assert shop.rows("SELECT count(*) FROM orders")[0].count == 1


def test_the_outbox_is_counted_only_when_its_ids_span_too_much(shop: Shop) -> None:
    for _ in range(3):
        shop.place(("A", 1))
    backlog = full_outbox()
    backlog.limit = 3
    assert shop.database.read(backlog.look)
    backlog.limit, backlog.look_at = 2, 0.0
    assert not shop.database.read(backlog.look)
    shop.run("DELETE FROM outbox WHERE id = (SELECT min(id) + 1 FROM outbox)")
    backlog.limit, backlog.look_at = 2, 0.0
    assert not shop.database.read(backlog.look), "two rows are two"
    backlog.limit, backlog.look_at = 3, 0.0
    assert shop.database.read(backlog.look)


def test_a_batch_in_which_one_command_breaks_is_halved_until_it_stands_alone(shop: Shop) -> None:
    broken = a_command("", ("A", 1), metadata={"note": "\x00"})
    writer = Writer(
        shop.database, {PlaceOrder: shop.placing.place_orders}, lambda: None, context="orders", name="tests"
    )
    results = writer._work_by_kind([a_command(), a_command(), broken, a_command()])
    assert [isinstance(result, Placed) for result in results] == [True, True, False, True]
    assert not isinstance(results[2], Refusal), "a bug is no refusal"


@pytest.mark.parametrize("lines", [1, 500])
def test_an_order_may_have_many_lines(shop: Shop, lines: int) -> None:
    order_id = shop.place(*[("A", 1)] * lines)
    assert len(shop.order(order_id).items) == lines
