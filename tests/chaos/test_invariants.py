"""Each invariant is seen to fail: a good book breaks none, and one wrong row breaks the one that is to notice it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Infrastructure
from tests.chaos import invariants
from tests.chaos.good_book import RECEIPT, SOLD, WAITING, write_good_book
from tests.chaos.story import stories
from tests.databases import DatabaseUrls

OTHER = "00000000-0000-7000-8000-0000000000ff"


@pytest.fixture
def book(infrastructure: Infrastructure, database_urls: DatabaseUrls) -> Iterator[Connection]:
    """A good book, in a transaction that is never committed."""
    assert all(database_urls.values())
    url = make_url(infrastructure.database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection, connection.begin() as transaction:
        write_good_book(connection)
        yield connection
        transaction.rollback()
    engine.dispose()


def test_a_good_book_breaks_nothing(book: Connection) -> None:
    assert invariants.broken(book) == {}


WRONG = {
    "a balance that no movement explains": (
        "I1 a balance is never negative",
        "UPDATE inventory.stock SET on_hand = on_hand + 1",
    ),
    "one movement too many": (
        "I1 a balance is never negative",
        (
            "INSERT INTO inventory.movements (cause_id, sku, kind, on_hand_delta, reserved_delta)"
            f" VALUES ('{OTHER}', 'A', 'sale', -1, -1)"
        ),
    ),
    "a receipt that moved nothing": (
        "I1 a balance is never negative",
        f"DELETE FROM inventory.movements WHERE cause_id = '{RECEIPT}'",
    ),
    "stock that nobody holds": (
        "I2 what is reserved",
        "UPDATE inventory.reservations SET status = 'RELEASED' WHERE status = 'WAITING'",
    ),
    "stock held for an order that ended": (
        "I2 a reservation belongs",
        f"UPDATE orders.orders SET status = 'CANCELLED', previous_status = 'CANCELLING' WHERE id = '{WAITING}'",
    ),
    "stock held for an order that nobody knows": (
        "I2 a reservation belongs",
        f"DELETE FROM orders.orders WHERE id = '{WAITING}'",
    ),
    "stock held beyond its time": (
        "I2 no order holds stock beyond its time",
        (
            "UPDATE orders.orders SET status = 'RESERVED', previous_status = 'AWAITING_RESTOCK',"
            f" reserved_until = now() - interval '1 minute' WHERE id = '{WAITING}'"
        ),
    ),
    "a completed order without money": (
        "I3 the provider has exactly",
        "DELETE FROM payments_simulator.entries",
    ),
    "money of a failed order": (
        "I3 the provider has exactly",
        f"UPDATE orders.orders SET status = 'FAILED', previous_status = 'COMPENSATING' WHERE id = '{SOLD}'",
    ),
    "money of an expired order": (
        "I3 nobody was charged for an order whose time was over",
        f"UPDATE orders.orders SET status = 'EXPIRED', previous_status = 'COMPENSATING' WHERE id = '{SOLD}'",
    ),
    "a charge under a second key": (
        "I4 nobody is charged twice",
        (
            "INSERT INTO payments_simulator.entries (key, kind, order_id, amount_minor, currency, payment_method,"
            f" outcome) VALUES ('{OTHER}', 'charge', '{SOLD}', 510, 'GBP', 'sim_ok', 'captured')"
        ),
    ),
    "an order that waits for nothing": (
        "I5 an order has ended",
        f"UPDATE orders.orders SET attention = NULL WHERE id = '{WAITING}'",
    ),
    "an order that nobody will try again": (
        "I5 an order has ended",
        f"UPDATE orders.orders SET next_try_at = NULL WHERE id = '{WAITING}'",
    ),
    "an event left in an outbox": (
        "I6 nothing is left untold",
        (
            "INSERT INTO payments.outbox (topic, key, payload, created_at)"
            f" VALUES ('payments.events', '{SOLD}', '', now() - interval '1 minute')"
        ),
    ),
    "a letter that could be understood": (
        "I6 nothing that could be understood",
        (
            "INSERT INTO orders.dead_letters (consumer, topic, key, partition, record_offset, id, type, payload,"
            f" reason, error) VALUES ('orders', 'payments.events', '{SOLD}', 0, 0, '{OTHER}', 't', '', 'error', 'e')"
        ),
    ),
    "a gap in the versions": (
        "I7 the timeline has every version",
        "UPDATE orders.timeline SET version = 5 WHERE version = 4",
    ),
    "a step that left no row": (
        "I7 the timeline has every version",
        f"DELETE FROM orders.timeline WHERE order_id = '{WAITING}' AND version = 2",
    ),
    "a step that begins elsewhere": (
        "I7 each step is in the table",
        "UPDATE orders.timeline SET from_status = 'AWAITING_RESTOCK' WHERE to_status = 'RESERVED'",
    ),
    "a wait without a supplier order": (
        "I13 whoever waits for goods",
        "UPDATE suppliers.supplier_orders SET status = 'DELIVERED'",
    ),
    "goods that were ordered for one order and given to another": (
        "I13 goods go to the order they were ordered for",
        (
            "INSERT INTO inventory.movements (cause_id, sku, kind, on_hand_delta, reserved_delta, order_id, reason)"
            f" SELECT '{OTHER}', 'A', 'reservation', 0, 1, '{SOLD}', 'given to the waiting order by ' || id"
            " FROM suppliers.supplier_orders"
        ),
    ),
    "goods on the shelf that somebody waits for": (
        "I13 nothing is free",
        "UPDATE inventory.stock SET on_hand = on_hand + 1",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_wakes_the_invariant_that_is_to_notice_it(book: Connection, wrong: str) -> None:
    invariant, statement = WRONG[wrong]
    assert book.execute(text(statement)).rowcount > 0

    found = invariants.broken(book)

    assert any(name.startswith(invariant) for name in found), found


def test_every_invariant_is_seen_to_fail() -> None:
    seen = {invariant for invariant, _ in WRONG.values()}
    unseen = [name for name in invariants.INVARIANTS if not any(name.startswith(each) for each in seen)]
    # The schema itself refuses an unknown payment without a next try.
    assert unseen == ["I3 a payment still on the schedule names its next try"]


def test_a_broken_order_is_told_with_its_whole_life(book: Connection) -> None:
    book.execute(text("DELETE FROM payments_simulator.entries"))
    lines = list(stories(book, invariants.broken(book)))
    assert lines[0].startswith("BROKEN I3")
    assert f"order {SOLD}" in lines
    assert sum(line.startswith("    timeline: ") for line in lines) == 4
    assert any(line.startswith("    payment: ") and "CAPTURED" in line for line in lines)
