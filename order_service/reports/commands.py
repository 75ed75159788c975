"""What may be asked of reports, and the steps by which they are kept: each is one transaction, and may be repeated."""

from typing import Final

from sqlalchemy import Connection

from chassis import audit, tracing
from chassis.database import run_sql
from order_service.reports import repository
from order_service.reports.repository import ALL_ORDERS

MARKS: Final = 500
"""Marks of a transaction: as many as may be of orders with thousands of lines."""
ORDERS: Final = 500
"""Orders that a step of a rebuild counts."""
_OLD_ROWS: Final = 5_000


def count_marks(connection: Connection) -> int:
    """Add what is marked to the totals, and delete those marks; how many they were.

    Rule (protocols: reporting): marks are deleted in the transaction that counts them, and what is told to Redis of it
    is a row until Redis has it; so wherever the job dies, nothing is lost or counted twice.
    """
    turn = repository.take_turn(connection)
    return repository.count_marks(connection, turn, MARKS)


def begin(connection: Connection) -> None:
    """Where there is no state at all, count all orders."""
    repository.take_turn(connection)


def ask_to_rebuild(connection: Connection, actor: str, traceparent: str = "") -> None:
    """Count all orders anew; one that is under way is gone on with. It is written down who asked."""
    turn = repository.take_turn(connection)
    if turn.building is None:
        repository.begin_building(connection, turn)
    tracing.current.set(traceparent)
    details = {"generation": turn.building or turn.turn}
    audit.note(connection, actor=actor, action="rebuild_reports", subject="reports", details=details)


def count_next_orders(connection: Connection, orders: int = ORDERS) -> bool:
    """Count the next orders in the generation that is being built; False when there is none (any more).

    Rule (protocols: reporting): what changes while a rebuild is under way is marked as ever. Marks of orders that the
    new generation has counted already are counted there, too; those of the orders of this step are handled first, seen
    in the same snapshot as the orders themselves. In a later one, an order that is completed in between would be
    counted as it is, and once more for its mark.
    """
    run_sql(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    turn = repository.take_turn(connection)
    if turn.building is None or turn.walked_to is None:
        return False
    up_to = repository.end_of_piece(connection, turn.walked_to, orders)
    present = turn._replace(building=None)
    repository.count_marks(connection, present, None, after=turn.walked_to, up_to=up_to)
    repository.count_orders(connection, turn.building, turn.walked_to, up_to)
    if up_to == ALL_ORDERS:
        repository.finish_building(connection, turn)
        return False
    repository.note_walked(connection, up_to)
    return True


def begin_edition(connection: Connection) -> int:
    """The boards in Redis are to be loaded anew, under this number."""
    turn = repository.take_turn(connection)
    repository.begin_edition(connection, turn)
    return turn.turn


def note_published(connection: Connection, edition: int) -> bool:
    """The boards may be read from Redis; False where another edition was begun meanwhile."""
    return repository.note_published(connection, edition)


def forget_changes(connection: Connection, change_ids: list[int]) -> None:
    """These are in Redis."""
    repository.forget_changes(connection, change_ids)


def drop_old_totals(connection: Connection) -> bool:
    """Delete some of the totals that nobody reads any more; whether there may be more."""
    return repository.drop_old(connection, _OLD_ROWS) >= _OLD_ROWS
