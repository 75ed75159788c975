"""The books notice what was oversold for a moment, though they add up again afterwards."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Infrastructure
from tests.chaos import invariants
from tests.chaos.good_book import write_good_book
from tests.databases import DatabaseUrls
from tests.load.books import OVERSOLD, broken

OTHER = "00000000-0000-7000-8000-0000000000ff"
FOR_A_MOMENT = f"""
    INSERT INTO inventory.movements (cause_id, sku, kind, on_hand_delta, reserved_delta) VALUES
    ('{OTHER}', 'A', 'reservation', 0, 1), ('{OTHER}', 'A', 'release', 0, -1)
"""


@pytest.fixture
def book(infrastructure: Infrastructure, database_urls: DatabaseUrls) -> Iterator[Connection]:
    """A good book, in a transaction that is never committed."""
    assert all(database_urls.values())
    engine = create_engine(make_url(infrastructure.database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection, connection.begin() as transaction:
        write_good_book(connection)
        yield connection
        transaction.rollback()
    engine.dispose()


def test_a_good_book_breaks_nothing(book: Connection) -> None:
    assert broken(book) == {}


def test_a_piece_that_was_promised_twice_for_a_moment_is_noticed(book: Connection) -> None:
    book.execute(text(FOR_A_MOMENT))

    assert not invariants.broken(book)
    assert list(broken(book)) == [OVERSOLD]
