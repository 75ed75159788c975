"""Makes the faults of a schedule happen to a running stack, and heals what they did."""

import random
import tempfile
import threading
import urllib.request
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
from chassis.simulation.switch import CONTROL_PATH
from deploy.local.refusals import CannotStart
from tests.chaos import demotion, garbage, webhooks
from tests.chaos.afresh import GROUPS
from tests.chaos.invariants import Broken
from tests.chaos.links import OUTSIDE, LinkedStack
from tests.chaos.schedule import SERVERS, SIMULATORS, Fault
from tests.chaos.topics import Topics, set_offsets

Undo = Callable[[], None]

TERMINATE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
LOCK: Final = """
    SELECT FROM {table} WHERE ctid IN (
        SELECT ctid FROM {table} ORDER BY CAST(CAST(xmin AS text) AS bigint) DESC LIMIT 50) FOR UPDATE
"""
"""Of the rows that were changed last, as many as are busy."""


def nothing() -> None:
    """To be undone."""


def behave(stack: LinkedStack, simulator: str, told: str = "") -> None:
    """Has a party outside do what it is told, or nothing worse than its scenarios say. Raises OSError."""
    port = next(port for port, name, _ in OUTSIDE.values() if name == simulator)
    url = f"http://{stack.place.address(port)}{CONTROL_PATH}"
    method, body = ("PUT", told.encode()) if told else ("DELETE", None)
    with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=5) as answer:
        answer.read()


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
        self._is_demoted = False
        self.wrong: Broken = {}
        """What a fault itself has seen that must not be."""
        self.done: Counter[str] = Counter()
        self.skipped: list[str] = []
        self._kinds: Mapping[str, Callable[[Fault], Undo]] = {
            "kill": self._kill, "restart": self._restart, "freeze": self._freeze, "down": self._down,
            "failpoint": self._arm, "delay": self._link, "drop": self._link, "half_open": self._link,
            "refuse": self._link, "reset": self._link, "garbage": self._garbage, "duplicates": self._duplicates,
            "sessions": self._sessions, "flush": self._flush, "slice": self._link, "one_way": self._link,
            "read_only": self._demote, "rolling": self._roll, "replay": self._replay, "webhooks": self._webhooks,
            "behaviour": self._misbehave,
            "locks": self._lock,
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
        for name in SERVERS:
            self._stack.bring_up(name)
        if self._is_demoted:
            demotion.promote(self._stack.infrastructure.database_url)
        for service in self._stack.services:
            self._stack.bring_up(service.name)
            if service.name in SIMULATORS:
                behave(self._stack, service.name)

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
        faults = {"drop": link.drop, "half_open": link.half_open, "refuse": link.refuse, "reset": link.reset,
                  "slice": link.slice, "one_way": link.one_way}  # fmt: skip
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

    def _lock(self, fault: Fault) -> Undo:
        """A long transaction holds rows that everybody needs."""
        connection = psycopg.connect(self._stack.infrastructure.database_url, connect_timeout=3)
        try:
            connection.execute(LOCK.format(table=fault.target))
        except psycopg.Error:
            connection.close()
            raise
        return connection.close

    def _flush(self, _fault: Fault) -> Undo:
        with redis.Redis.from_url(self._stack.infrastructure.redis_url, socket_timeout=3) as client:
            client.flushall()
        return nothing

    def _demote(self, _fault: Fault) -> Undo:
        self._is_demoted = True
        demotion.demote(self._stack.infrastructure.database_url)
        return lambda: demotion.promote(self._stack.infrastructure.database_url)

    def _roll(self, _fault: Fault) -> Undo:
        """Every process, one after the other, as in a rolling release."""
        for name in [service.name for service in self._stack.services]:
            if self._healing.is_set():
                break
            with self._busy[name]:
                self._restart(Fault(0.0, "restart", name))
        return nothing

    def _replay(self, fault: Fault) -> Undo:
        """The consumer groups of a service hear the newest events of their topics again."""
        self._stack.take_down(fault.target)
        try:
            for group, topics in GROUPS[fault.target].items():
                set_offsets(self._kafka, group, topics, back=int(fault.detail.split()[0]))
        finally:
            self._stack.bring_up(fault.target)
        return nothing

    def _misbehave(self, fault: Fault) -> Undo:
        behave(self._stack, fault.target, fault.detail)
        return lambda: behave(self._stack, fault.target)

    def _webhooks(self, fault: Fault) -> Undo:
        chance = random.Random(f"{fault}")
        let_in = []
        for message in webhooks.messages(self._stack, chance, fault.target):
            status = webhooks.bring(self._stack, fault.target, message)
            if 200 <= status < 300 and not message.is_signed_now:
                let_in.append({"status": status, "body": message.body})
        if let_in:
            self.wrong["a webhook that is not signed now is not let in"] = list(let_in)
        return nothing

    def _signal(self, name: str, number: Signals) -> None:
        with suppress(KeyError):  # down just now
            self._stack.infrastructure.supervisor.kill(name, number)

    @property
    def _kafka(self) -> str:
        return self._stack.infrastructure.kafka_bootstrap_servers
