"""One run: load with faults, heal, quiet, and then everything that must hold."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from redis import Redis, RedisError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from chassis import clock
from deploy.local.refusals import CannotStart
from tests.chaos import invariants, processes, topics
from tests.chaos.faults import Faults
from tests.chaos.invariants import Broken
from tests.chaos.links import LinkedStack
from tests.chaos.load import USUAL, Crowd, Habits, stocked
from tests.chaos.record import Record, orders_of
from tests.chaos.schedule import Fault, schedule
from tests.chaos.staff import Staff
from tests.chaos.story import stories
from tests.chaos.topics import Topics, Written
from tests.end_to_end.shop import Shop
from tests.reports import wrong_reports

QUIET_SECONDS: Final = 60.0
EVERY_SECONDS: Final = 0.5
CUSTOMERS: Final = 8
PAUSE_SECONDS: Final = 0.15
STAFF_PAUSE_SECONDS: Final = 0.2
REPEATS: Final = 40
SOON: Final = "20 seconds"

_UNDER_WAY: Final = f"""
    SELECT count(*) FROM orders.orders WHERE status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')
    AND (attention IS NULL OR next_try_at IS NULL OR next_try_at < now() + interval '{SOON}')
"""
_CALLS: Final = " UNION ALL ".join(
    f"SELECT count(*) FROM {schema}.calls WHERE due_at < now() + interval '{SOON}'"
    for schema in ("payments", "suppliers")
)


@dataclass
class Outcome:
    """What one run came to."""

    number: int
    seed: str
    orders: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    quiet_after: float = 0.0
    broken: Broken = field(default_factory=dict)
    stories: list[str] = field(default_factory=list)


class Runs:
    """Runs on one stack, one after another."""

    def __init__(
        self,
        stack: LinkedStack,
        say: Callable[[str], None],
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._stack, self._say = stack, say
        self._quiet_seconds = quiet_seconds
        self._shop = Shop(stack)
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        self._topics = Topics(stack.infrastructure.kafka_bootstrap_servers)
        self._redis = Redis.from_url(stack.infrastructure.redis_url, socket_timeout=3)
        self._baseline: Mapping[str, processes.Weight] = {}

    def close(self) -> None:
        self._redis.close()
        self._engine.dispose()

    def begin_here(self) -> None:
        """What is on the topics by now is nobody's business any more."""
        self._topics.skip()

    def run(
        self,
        seed: str,
        number: int,
        seconds: float,
        planned: Sequence[Fault] | None = None,
        habits: Habits = USUAL,
    ) -> Outcome:
        """The run of this number under this seed; the same each time, as far as faults and wishes go.

        With faults that are planned, those instead of what the seed says.
        """
        outcome = Outcome(number, seed)
        name = f"{seed}:{number}"
        shelves = stocked(self._shop, habits)
        crowd = Crowd(self._shop, shelves, name, CUSTOMERS, PAUSE_SECONDS, habits)
        staff = Staff(self._shop, shelves, crowd, name, STAFF_PAUSE_SECONDS)
        faults = Faults(self._stack, name)
        for fault in (planned := schedule(name, seconds) if planned is None else planned):
            self._say(f"    {fault}")
        for people in (crowd, staff):
            people.start()
        faults.start(planned)
        threading.Event().wait(seconds)
        try:
            faults.heal()
        except CannotStart as error:
            outcome.broken = {"P5 every process is back once all is healed": [{"error": str(error)}]}
        healed_at = clock.monotonic()
        for people in (staff, crowd):
            people.stop()
        outcome.answers, outcome.faults, outcome.skipped = crowd.answers(), faults.done, faults.skipped
        outcome.broken |= faults.wrong
        if not outcome.broken:
            self._quiet(crowd, staff, outcome)
        self._tell(outcome)
        outcome.quiet_after = clock.monotonic() - healed_at
        return outcome

    def _quiet(self, crowd: Crowd, staff: Staff, outcome: Outcome) -> None:
        """Looks until everything holds, a minute at most; what does not hold by then is broken."""
        deadline = clock.monotonic() + self._quiet_seconds
        records: list[Written] = []
        while True:
            with self._reading() as connection:
                is_quiet = not under_way(connection)
                record = Record(orders_of(connection, crowd.wishes), crowd.wishes)
                found = {**invariants.broken(connection), **record.broken(), **staff.broken(connection)}
                if not found and (is_quiet or clock.monotonic() > deadline):
                    found = self._after_the_books(connection, crowd, records)
                outcome.orders = Counter(map(standing, record.orders))
            if (is_quiet and not found) or clock.monotonic() > deadline:
                break
            threading.Event().wait(EVERY_SECONDS)
        outcome.broken = found or record.broken_repeats(crowd.ask_again(REPEATS))

    def _after_the_books(self, connection: Connection, crowd: Crowd, records: list[Written]) -> Broken:
        """What costs more to look at, once the books are in order."""
        records += self._topics.read_on()
        weights = {name: weight for name, weight in processes.weights(self._stack.pids).items() if "service" in name}
        self._baseline = self._baseline or weights
        return {
            **topics.unheard(connection, records),
            **topics.untold(connection, records, crowd.began_at),
            **_wrong_figures(connection, self._redis),
            **processes.miscounts(self._stack),
            **processes.grown(self._baseline, weights),
        }

    def _tell(self, outcome: Outcome) -> None:
        if outcome.broken:
            with self._reading() as connection:
                outcome.stories = list(stories(connection, outcome.broken))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection


def _wrong_figures(connection: Connection, client: Redis) -> Broken:
    """I10; what a flush of Redis has taken is written again by the job of reports."""
    try:
        wrong = wrong_reports(connection, client)
    except RedisError as error:
        wrong = [f"redis does not answer: {error}"]
    return (
        {"I10 leaderboards and KPIs are what the orders come to": [{"error": each} for each in wrong]} if wrong else {}
    )


def standing(order: Mapping[str, Any]) -> str:
    """Its status, and what it waits for."""
    return f"{order['status']} for {order['attention']}" if order["attention"] else str(order["status"])


def under_way(connection: Connection) -> int:
    """Orders and calls that will get on within seconds."""
    counts = [connection.execute(text(_UNDER_WAY)).scalar_one(), *connection.execute(text(_CALLS)).scalars()]
    return sum(map(int, counts))


def told(outcome: Outcome, begun_at: datetime) -> str:
    """One line on a run."""
    orders = ", ".join(f"{count} {status}" for status, count in sorted(outcome.orders.items()))
    answers = ", ".join(f"{status or 'none'} × {count}" for status, count in sorted(outcome.answers.items()))
    verdict = "BROKEN" if outcome.broken else "ok"
    return (
        f"run {outcome.number} of seed {outcome.seed} ({begun_at:%H:%M:%S}): {verdict};"
        f" {sum(outcome.orders.values())} orders ({orders}); answers {answers};"
        f" {outcome.faults.total()} faults; quiet {outcome.quiet_after:.1f} s after healing"
    )
