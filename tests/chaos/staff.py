"""The shop's own people during a run: goods come in and are counted, and impatient operators ask orders to hurry."""

import json
import random
import threading
import urllib.error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final

from sqlalchemy import Connection, text

from chassis import ids
from tests.chaos.invariants import MOST_ROWS, Broken
from tests.chaos.load import Crowd, Shelves
from tests.end_to_end.shop import Shop

TRIES: Final = 3
RECEIPT_PERCENT: Final = 70
"""Of what a shopkeeper does; the rest are adjustments."""

_KNOWN: Final = "SELECT idempotency_key FROM inventory.stock_changes WHERE idempotency_key = ANY(:keys)"
_AUDITED: Final = """
    SELECT subject FROM orders.audit WHERE action = 'resume_order' AND subject = ANY(:subjects)
"""


@dataclass
class Told:
    """What the staff was told has been done."""

    changes: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)


class Staff:
    """A shopkeeper and an operator, each in a thread."""

    def __init__(self, shop: Shop, shelves: Shelves, crowd: Crowd, seed: str, pause_seconds: float) -> None:
        self._shop, self._shelves, self._crowd = shop, shelves, crowd
        self._pause = pause_seconds
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(work, random.Random(f"{seed}:{work.__name__}")), daemon=True)
            for work in (self._keep_shop, self._operate)
        ]
        self.told = Told()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when both have had their last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def broken(self, connection: Connection) -> Broken:
        """What the staff was told and is not so."""
        found: Broken = {
            "I8 goods that were taken in are in the books": _missing(connection, _KNOWN, keys=self.told.changes),
            "I8 who asked an order to hurry is in the audit": _missing(
                connection, _AUDITED, subjects=self.told.resumed
            ),
        }
        return {name: rows for name, rows in found.items() if rows}

    def _work(self, work: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self._stopping.wait(self._pause * chance.uniform(0.5, 1.5)):
            work(chance)

    def _keep_shop(self, chance: random.Random) -> None:
        """Goods of what is hot, scarce or waited for, or a count that finds some more or fewer."""
        sku = chance.choice([self._shelves.plenty[0], *self._shelves.scarce, *self._shelves.supplied])
        key = ids.new_id()
        more: dict[str, Any] = {"reason": "chaos", "idempotency_key": key}
        if chance.randrange(100) < RECEIPT_PERCENT:
            path, body = "receipts", more | {"quantity": chance.randint(1, 5)}
        else:
            path, body = "adjustments", more | {"quantity_delta": chance.choice((-2, -1, 1, 2))}
        if self._ask(f"/products/{sku}/{path}", body):
            self.told.changes.append(key)

    def _operate(self, chance: random.Random) -> None:
        """One of the newest orders, of which some are not at their end yet."""
        newest = [order_id for wish in self._crowd.newest() for order_id in wish.order_ids]
        if newest and self._ask(f"/operations/orders/{(order_id := chance.choice(newest))}/resume", {}):
            self.told.resumed.append(order_id)

    def _ask(self, path: str, body: Mapping[str, Any]) -> bool:
        """Whether it was done; one that is not answered is asked again, under its key."""
        for _ in range(TRIES):
            try:
                answer = self._shop.call("POST", path, body, timeout=5)
            except (OSError, urllib.error.URLError, HTTPException, json.JSONDecodeError):
                continue
            if answer.status < 500:
                return answer.status in (200, 201)
            if self._stopping.wait(self._pause):
                break
        return False


def _missing(connection: Connection, sql: str, **told: Sequence[str]) -> list[Mapping[str, Any]]:
    [expected] = told.values()
    known = set(connection.execute(text(sql), told).scalars())
    missing: list[Mapping[str, Any]] = [{"told": each} for each in expected if each not in known]
    return missing[:MOST_ROWS]
