"""Makes the faults of a schedule happen to a running stack, and heals what they did."""

import random
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGQUIT, SIGSTOP, Signals
from typing import Final

import psycopg
import redis
from kafka.errors import KafkaError

from chassis import clock
from deploy.local.refusals import CannotStart
from tests.chaos import garbage
from tests.chaos.links import LinkedStack
from tests.chaos.schedule import PROCESSES, SERVERS, Fault
from tests.chaos.topics import Topics

Undo = Callable[[], None]

TERMINATE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


def nothing() -> None:
    """To be undone."""


class Faults:
    """The faults of one run, each in a thread of its own; `heal` ends all of them."""

    def __init__(self, stack: LinkedStack, seed: str) -> None:
        self._stack = stack
        self._chance = random.Random(f"{seed}:details")
        self._healing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._busy: dict[str, threading.Lock] = defaultdict(threading.Lock)
        # Kept as long as the stack: processes that were armed in this run look there still in the next ones.
        self._once = Path(tempfile.mkdtemp(prefix="failpoints-", dir=stack.place.state))
        self._armed: set[str] = set()
        self.done: Counter[str] = Counter()
        self.skipped: list[str] = []
        self._kinds: Mapping[str, Callable[[Fault], Undo]] = {
            "kill": self._kill, "restart": self._restart, "freeze": self._freeze, "down": self._down,
            "failpoint": self._arm, "delay": self._link, "drop": self._link, "half_open": self._link,
            "refuse": self._link, "reset": self._link, "garbage": self._garbage, "duplicates": self._duplicates,
            "sessions": self._sessions, "flush": self._flush,
        }  # fmt: skip

    def start(self, schedule: Sequence[Fault]) -> None:
        """The clock of the schedule runs from now."""
        begun = clock.monotonic()
        for fault in schedule:
            thread = threading.Thread(target=self._happen, args=(fault, begun), name=str(fault), daemon=True)
            self._threads.append(thread)
            thread.start()

    def heal(self) -> None:
        """Returns when nothing is wrong any more and every process answers."""
        self._healing.set()
        self._stack.proxy.heal()
        for name in self._stack.pids:
            self._signal(name, SIGCONT)
        for thread in self._threads:
            thread.join()
        for name in self._armed:
            (self._once / name).touch()  # fired, as far as the process knows
        for name in (*SERVERS, *PROCESSES):
            self._stack.bring_up(name)

    def _happen(self, fault: Fault, begun: float) -> None:
        if self._healing.wait(max(0.0, fault.at - (clock.monotonic() - begun))):
            return
        with self._busy[fault.target]:
            if self._healing.is_set():
                return
            try:
                undo = self._kinds[fault.kind](fault)
                self.done[fault.kind] += 1
                self._healing.wait(fault.seconds)
                undo()
            except (CannotStart, KafkaError, KeyError, OSError, RuntimeError, psycopg.Error, redis.RedisError) as error:
                # One fault may stand in another's way: a message cannot be put on a topic whose broker is down.
                self.skipped.append(f"{fault}: {type(error).__name__}: {str(error)[:100]}")

    def _kill(self, fault: Fault) -> Undo:
        self._stack.kill(fault.target)
        return nothing

    def _restart(self, fault: Fault) -> Undo:
        self._stack.take_down(fault.target)
        self._stack.bring_up(fault.target)
        return nothing

    def _freeze(self, fault: Fault) -> Undo:
        self._signal(fault.target, SIGSTOP)
        return lambda: self._signal(fault.target, SIGCONT)

    def _down(self, fault: Fault) -> Undo:
        if fault.target == "postgres":
            # An immediate stop; it is started again at once, and recovers.
            self._stack.kill("postgres", SIGQUIT)
            return nothing
        self._stack.take_down(fault.target)
        return lambda: self._stack.bring_up(fault.target)

    def _arm(self, fault: Fault) -> Undo:
        """A restart with failpoints, each of which fires once at most."""
        self._armed |= {part.partition("=")[0] for part in fault.detail.split(",")}
        self._stack.take_down(fault.target)
        self._stack.bring_up(fault.target, {"FAILPOINT": fault.detail, "FAILPOINT_ONCE": str(self._once)})
        return nothing

    def _link(self, fault: Fault) -> Undo:
        proxy = self._stack.proxy
        link = proxy.links[fault.target]
        faults = {"drop": link.drop, "half_open": link.half_open, "refuse": link.refuse, "reset": link.reset}
        if fault.kind == "delay":
            proxy.do(link.delay(int(fault.detail.split()[0]) / 1000))
        else:
            proxy.do(faults[fault.kind]())
        return lambda: proxy.do(link.heal())

    def _garbage(self, fault: Fault) -> Undo:
        chance = random.Random(f"{fault.detail}:{fault.at}")
        garbage.put(self._kafka, garbage.garbage(chance, fault.target))
        return nothing

    def _duplicates(self, fault: Fault) -> Undo:
        chance = random.Random(f"{fault.detail}:{fault.at}")
        again = garbage.duplicates(chance, fault.target, Topics(self._kafka).read_on())
        if again:
            garbage.put(self._kafka, again)
        return nothing

    def _sessions(self, fault: Fault) -> Undo:
        with psycopg.connect(self._stack.infrastructure.database_url, autocommit=True, connect_timeout=3) as connection:
            connection.execute(TERMINATE, [fault.target])
        return nothing

    def _flush(self, _fault: Fault) -> Undo:
        with redis.Redis.from_url(self._stack.infrastructure.redis_url, socket_timeout=3) as client:
            client.flushall()
        return nothing

    def _signal(self, name: str, number: Signals) -> None:
        with suppress(KeyError):  # down just now
            self._stack.infrastructure.supervisor.kill(name, number)

    @property
    def _kafka(self) -> str:
        return self._stack.infrastructure.kafka_bootstrap_servers
