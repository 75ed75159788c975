"""One trial: customers who retry once, something that is done meanwhile, quiet, and then everything that must hold."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from chassis import clock
from deploy.local import Stack
from tests.chaos import invariants, topics
from tests.chaos.invariants import Broken
from tests.chaos.load import Crowd, Habits, Wish, stocked
from tests.chaos.record import Record, orders_of
from tests.chaos.run import EVERY_SECONDS, QUIET_SECONDS, standing, under_way
from tests.chaos.several.careful import CarefulShop
from tests.chaos.staff import Staff
from tests.chaos.story import stories
from tests.chaos.topics import Topics, Written

CUSTOMERS: Final = 8
PAUSE_SECONDS: Final = 0.1
STAFF_PAUSE_SECONDS: Final = 0.2
HABITS: Final = Habits(
    methods={"sim_ok": 80, "sim_declined": 8, "sim_error_then_ok": 6, "sim_slow:400": 6},
    scenarios=("ok", "delayed_then_ok:1", "fail", "reject"),
)
"""Every way to an end that is near: a trial is about who does the work, not about who outside does not."""

SETTINGS: Final = {"SUPPLIER_CHECK_SECONDS": "1", "PAYMENT_UNKNOWN_SCHEDULE": "1,2,4,8", "LOG_LEVEL": "INFO"}


@dataclass
class Found:
    """What a trial came to."""

    seconds: float
    asked: int
    again: list[str]
    failed: list[str]
    slowest: float
    orders: Counter[str] = field(default_factory=Counter)
    quiet_after: float = 0.0
    repeats: int = 0
    """Records that stand on their topic once more than they were told: what a relay that was deposed may do."""
    broken: Broken = field(default_factory=dict)
    stories: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        orders = ", ".join(f"{count} {status}" for status, count in self.orders.most_common())
        verdict = "BROKEN" if self.broken else "every invariant holds"
        return (
            f"{self.asked:,} requests in {self.seconds:.0f} s ({self.asked / self.seconds:.0f}/s),"
            f" {len(self.again)} of them repeated, {len(self.failed)} failed; slowest {self.slowest:.1f} s;"
            f" {self.repeats} records repeated;"
            f" {self.orders.total():,} orders ({orders}); quiet {self.quiet_after:.1f} s later; {verdict}"
        )


class Trial:
    """Load on a stack by way of one or several gateways' ports, and the books afterwards."""

    def __init__(self, stack: Stack, ports: Sequence[int | None] = (None,), habits: Habits = HABITS) -> None:
        self._stack, self._ports, self._habits = stack, ports, habits
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        self._topics = Topics(stack.infrastructure.kafka_bootstrap_servers)

    def close(self) -> None:
        self._engine.dispose()

    def run(self, name: str, act: Callable[[], None], around_seconds: float = 1.0) -> Found:
        """`act` while customers ask, who begin so many seconds before and end as many after it."""
        self._topics.skip()
        shops = [CarefulShop(self._stack, port) for port in self._ports]
        shelves = stocked(shops[0], self._habits)
        crowds = [
            Crowd(shop, shelves, f"{name}:{number}", CUSTOMERS // len(shops), PAUSE_SECONDS, self._habits)
            for number, shop in enumerate(shops)
        ]
        staff = Staff(shops[0], shelves, crowds[0], name, STAFF_PAUSE_SECONDS)
        begun = clock.monotonic()
        everybody: list[Crowd | Staff] = [staff, *crowds]
        for people in everybody:
            people.start()
        try:
            pause(around_seconds)
            act()
            pause(around_seconds)
        finally:
            for people in everybody:
                people.stop()
        found = _asked(shops, clock.monotonic() - begun)
        self._quiet(crowds, staff, found)
        return found

    def _quiet(self, crowds: Sequence[Crowd], staff: Staff, found: Found) -> None:
        """Looks until everything holds, a minute at most; what does not hold by then is broken."""
        begun, records = clock.monotonic(), list[Written]()
        wishes = [wish for crowd in crowds for wish in crowd.wishes]
        while True:
            with self._engine.connect() as connection:
                is_late = clock.monotonic() > begun + QUIET_SECONDS
                is_quiet = not under_way(connection)
                found.broken = self._books(connection, wishes, staff, found)
                if not found.broken and (is_quiet or is_late):
                    records += self._topics.read_on()
                    found.broken = {
                        **topics.unheard(connection, records),
                        **topics.untold(connection, records, crowds[0].began_at),
                    }
                if is_late and found.broken:
                    found.stories = list(stories(connection, found.broken))
            if (is_quiet and not found.broken) or is_late:
                break
            pause(EVERY_SECONDS)
        found.quiet_after = clock.monotonic() - begun
        found.repeats = len(records) - len({record.id for record in records})

    def _books(self, connection: Connection, wishes: Sequence[Wish], staff: Staff, found: Found) -> Broken:
        record = Record(orders_of(connection, wishes), wishes)
        found.orders = Counter(map(standing, record.orders))
        return {**invariants.broken(connection), **record.broken(), **staff.broken(connection)}


def _asked(shops: Sequence[CarefulShop], seconds: float) -> Found:
    return Found(
        seconds=seconds,
        asked=sum(shop.asked for shop in shops),
        again=[told for shop in shops for told in shop.again],
        failed=[told for shop in shops for told in shop.failed],
        slowest=max(shop.slowest for shop in shops),
    )


def pause(seconds: float) -> None:
    """So long the load goes on."""
    threading.Event().wait(seconds)
