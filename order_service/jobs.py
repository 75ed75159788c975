"""What time makes us do with orders: ask again where nobody answers, end what is overdue, and count what waits."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from chassis.metrics import counter, gauge
from order_service import commands, queries
from order_service.domain import UNFINISHED, Attention, Wait
from order_service.tables import CONTEXT

LOOK_EVERY_SECONDS: Final = 1.0
COUNT_EVERY_SECONDS: Final = 30.0
_AGAIN_FROM_THE_START_SECONDS: Final = 60.0
_PIECE: Final = 5_000
_BATCH: Final = 200
_MOST_BACKLOG_SECONDS: Final = 5.0
"""Where our own facts wait longer than this to be relayed, nobody has had a chance to answer."""
_REFUND: Final = "REFUND"
"""What stands for a status where the order is completed and its refund hangs."""
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

log = get_logger(__name__)


class Patrol:
    """Looks after unfinished orders: asks for the end of those that are overdue, asks again for those that are stuck.

    An order that waits for long costs one look when it has settled and one when it is due: the row of an order of
    some age says when it is to be looked at, and an index finds those that are; younger ones are walked through, a
    piece each time.
    """

    def __init__(self, database: Database, wake_relay: Callable[[], None], piece: int = _PIECE) -> None:
        self._database = database
        self._wake_relay = wake_relay
        self._piece = piece
        self._after = self._settled = _FIRST
        self._start_again_at = 0.0
        self._expiring = counter(CONTEXT, "expiries_asked", "Times payments was asked to give an overdue order up")
        self._sent = counter(CONTEXT, "requests_sent_again", "Open requests of stuck orders sent once more", "status")

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("patrol", LOOK_EVERY_SECONDS, self.look)

    def look(self) -> None:
        """Look at the orders that are due, and at the next piece of those that nobody has looked at yet; at refunds."""
        self._look_at_orders()
        self._chase_refunds()

    def _look_at_orders(self) -> None:
        due = self._database.read(lambda connection: queries.due_ids(connection, self._piece))
        fresh = self._next_piece()
        if not due and not fresh:
            return
        waits = self._database.read(lambda connection: queries.waits_of(connection, [*due, *fresh]))
        at = clock.now()
        self._settle(fresh, waits, at)
        later = {wait.id: wait.due_at for wait in waits if _is_settled(wait, fresh, at)}
        if later:
            self._database.write(lambda connection: commands.reschedule_orders(connection, later))
        self._chase_overdue([wait.id for wait in waits if wait.is_overdue(at)])
        self._chase_stuck([wait.id for wait in waits if wait.due_at <= at and not wait.is_overdue(at)])

    def _next_piece(self) -> set[str]:
        if clock.monotonic() >= self._start_again_at:
            # An order may have been stored with an id behind which the walk was already.
            self._start_again_at = clock.monotonic() + _AGAIN_FROM_THE_START_SECONDS
            self._after = self._settled = _FIRST
        after = self._after
        return set(self._database.read(lambda connection: queries.unscheduled_ids(connection, after, self._piece)))

    def _settle(self, fresh: set[str], waits: Sequence[Wait], at: datetime) -> None:
        """Where the walk goes on, and where it may start: behind those whose rows say when they are due."""
        if self._after == self._settled:
            for wait in waits:
                if wait.id in fresh:
                    if _is_young(wait, at):
                        break
                    self._settled = wait.id
        self._after = max(fresh) if len(fresh) == self._piece else self._settled

    def _chase_overdue(self, order_ids: Sequence[str]) -> None:
        for start in range(0, len(order_ids), _BATCH):
            self._expiring.inc(sum(self._chase(order_ids[start : start + _BATCH]).values()))

    def _chase_stuck(self, order_ids: Sequence[str]) -> None:
        """A bounded number each time: after an outage most of them go on by themselves, and need no second request."""
        if not order_ids or self._are_facts_waiting():
            return
        for status, orders in self._chase(order_ids[:_BATCH]).items():
            self._sent.labels(status).inc(orders)

    def _chase_refunds(self) -> None:
        """Completed orders wait for nothing else, and are no unfinished ones: their refunds are looked for."""
        due = self._database.read(lambda connection: queries.due_refunds(connection, _BATCH))
        if not due or self._are_facts_waiting():
            return
        order_ids = sorted(set(due.values()))
        asked = self._database.write(lambda connection: commands.chase_refunds(connection, order_ids))
        if asked:
            self._wake_relay()
            self._sent.labels(_REFUND).inc(asked)
            log.info("refunds were asked after", refunds=asked)

    def _are_facts_waiting(self) -> bool:
        return self._database.read(queries.backlog_seconds) > _MOST_BACKLOG_SECONDS

    def _chase(self, order_ids: Sequence[str]) -> Counter[str]:
        chased = self._database.write(lambda connection: commands.chase_orders(connection, order_ids))
        if chased:
            self._wake_relay()
            log.info("orders were asked after", **chased)
        return chased


def _is_young(wait: Wait, at: datetime) -> bool:
    return at - wait.created_at < timedelta(seconds=commands.SETTLED_SECONDS)


def _is_settled(wait: Wait, fresh: set[str], at: datetime) -> bool:
    """Its row is to say when it is looked at next."""
    return not _is_young(wait, at) if wait.id in fresh else wait.due_at > at


class Census:
    """Counts what waits, by status and by what needs attention, and since when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._orders = gauge(CONTEXT, "waiting", "Unfinished orders by status", "status")
        self._oldest = gauge(CONTEXT, "waiting_seconds", "Time since the oldest was heard of, by status", "status")
        self._attention = gauge(CONTEXT, "attention", "Orders by what needs attention", "attention")
        self._attended = gauge(
            CONTEXT, "attention_seconds", "Time since the oldest was heard of, by what needs attention", "attention"
        )
        self._stuck = gauge(CONTEXT, "stuck", "Orders and refunds that were asked after in vain since they last moved")

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("census", COUNT_EVERY_SECONDS, self.count)

    def count(self) -> None:
        """Tell the figures of now; also those that are none."""
        waiting = {each.name: each for each in self._database.read(queries.waiting_orders)}
        attended = {each.name: each for each in self._database.read(queries.attended_orders)}
        for status in UNFINISHED:
            self._orders.labels(status).set(waiting[status].orders if status in waiting else 0)
            self._oldest.labels(status).set(waiting[status].oldest_seconds if status in waiting else 0)
        for attention in Attention:
            self._attention.labels(attention).set(attended[attention].orders if attention in attended else 0)
            self._attended.labels(attention).set(attended[attention].oldest_seconds if attention in attended else 0)
        self._stuck.set(self._database.read(queries.stuck_count))
