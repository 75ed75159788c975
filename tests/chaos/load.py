"""Customers who place orders of every simulated kind, ask again, cancel, and remember what they were told."""

import json
import random
import threading
import urllib.error
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final

from chassis import clock, ids
from tests.end_to_end.shop import Answer, Shop

METHODS: Final[Mapping[str, int]] = {
    "sim_ok": 55,
    "sim_random": 5,
    "sim_declined": 8,
    "sim_insufficient_funds": 3,
    "sim_error_then_ok": 6,
    "sim_slow:400": 6,
    "sim_slow:3000": 2,
    "sim_timeout_charged": 4,
    "sim_timeout_not_charged": 4,
    "sim_timeout_late_charge:1500": 3,
}
"""How the orders are paid, and how often."""
SCENARIOS: Final = (
    "ok", "delayed_then_ok:1", "delayed_forever", "fail", "reject", "error_then_ok:2", "webhook_ok:2", "random",
)  # fmt: skip
DECIDED: Final = (200, 201, 202, 409)
"""Answers after which an order exists."""
NO_ANSWER: Final = 0
REPEAT_PERCENT: Final = 5
REFUND_PERCENT: Final = 6
REFUNDS: Final[Sequence[dict[str, Any]]] = ({}, {"restock": True}, {"amount": "1.00"})
"""All that is left, with or without the goods, or a part."""


@dataclass(frozen=True)
class Habits:
    """What customers do how often, in percent of their orders."""

    methods: Mapping[str, int] = field(default_factory=lambda: METHODS)
    scenarios: Sequence[str] = SCENARIOS
    cancel_percent: int = 8
    cancel_pauses: Sequence[float] = (0.0, 0.05, 0.3, 1.0)
    backorder_percent: int = 12


USUAL: Final = Habits()


@dataclass
class Wish:
    """One order as its customer knows it: what was asked under which key, and every answer."""

    key: str
    customer: str
    lines: Sequence[tuple[str, int]]
    more: dict[str, Any]
    told: list[tuple[int, str]] = field(default_factory=list)
    cancels: list[tuple[int, str]] = field(default_factory=list)

    @property
    def order_ids(self) -> set[str]:
        """Every order id the customer was told: one, or none."""
        return {order_id for status, order_id in self.told if status in DECIDED and order_id}

    @property
    def is_answered(self) -> bool:
        return bool(self.order_ids)


class Customer:
    """Asks for one order after another; a wish that nobody answers is asked for again under its key."""

    def __init__(self, name: str, shop: Shop, chance: random.Random, shelves: "Shelves", habits: Habits) -> None:
        self._name, self._shop, self._chance, self._shelves = name, shop, chance, shelves
        self._habits = habits
        self.wishes: list[Wish] = []

    def shop_until(self, stopping: threading.Event, pause_seconds: float) -> None:
        """Until it is told to stop."""
        while not stopping.wait(pause_seconds * self._chance.uniform(0.5, 1.5)):
            wish = self._new_wish()
            self.wishes.append(wish)
            self._ask(wish, stopping)
            if wish.is_answered and self._chance.randrange(100) < self._habits.cancel_percent:
                stopping.wait(self._chance.choice(self._habits.cancel_pauses))
                self.cancel(wish)
            if self._chance.randrange(100) < REFUND_PERCENT:
                self.refund(self._chance.choice(self.wishes))

    def ask_once(self, wish: Wish, prefer: str = "respond-async", timeout: float = 5) -> Answer | None:
        """One request; what came back is remembered."""
        try:
            answer = self._shop.call("POST", "/orders", body_of(wish), {"Prefer": prefer}, timeout)
        except (OSError, urllib.error.URLError, HTTPException, json.JSONDecodeError):
            wish.told.append((NO_ANSWER, ""))
            return None
        wish.told.append((answer.status, order_id_in(answer)))
        return answer

    def cancel(self, wish: Wish) -> None:
        [order_id, *_] = wish.order_ids
        try:
            answer = self._shop.call("POST", f"/orders/{order_id}/cancel", {"reason": "changed my mind"}, timeout=5)
        except (OSError, urllib.error.URLError, HTTPException, json.JSONDecodeError):
            wish.cancels.append((NO_ANSWER, ""))
            return
        wish.cancels.append((answer.status, str((answer.data or {}).get("status", ""))))

    def refund(self, wish: Wish) -> None:
        """Whether there is anything to give back the books know; asked for twice, for patience is short."""
        refund = {"idempotency_key": ids.new_id(), "reason": "broken", **self._chance.choice(REFUNDS)}
        for order_id in wish.order_ids:
            for _ in range(self._chance.randint(1, 2)):
                with suppress(OSError, urllib.error.URLError, HTTPException, json.JSONDecodeError):
                    self._shop.call("POST", f"/orders/{order_id}/refunds", refund, timeout=5)

    def _ask(self, wish: Wish, stopping: threading.Event) -> None:
        prefer = self._chance.choice(("respond-async", "wait=1", "wait=3"))
        for _ in range(4):
            answer = self.ask_once(wish, prefer)
            if answer is not None and answer.status in (*DECIDED, 422):
                break
            stopping.wait(0.4)
        if self._chance.randrange(100) < REPEAT_PERCENT:
            self.ask_once(wish, prefer)

    def _new_wish(self) -> Wish:
        methods = self._habits.methods
        method = self._chance.choices(list(methods), list(methods.values()))[0]
        more: dict[str, Any] = {"payment_method": method}
        lines = self._shelves.some(self._chance)
        if self._chance.randrange(100) < self._habits.backorder_percent:
            more["stock_policy"] = "BACKORDER"
            lines = [*lines, (self._chance.choice(self._shelves.supplied), self._chance.randint(1, 3))]
        return Wish(ids.new_id(), self._name, lines, more)


@dataclass
class Shelves:
    """The products of one run: plenty, scarce ones that sell out, and those of suppliers."""

    plenty: list[str]
    scarce: list[str]
    supplied: list[str]

    def some(self, chance: random.Random) -> list[tuple[str, int]]:
        """The lines of an order: mostly of what there is plenty, the first one hot."""
        skus = chance.sample(self.plenty, chance.randint(1, 3))
        if chance.randrange(100) < 30:
            skus = list({self.plenty[0], *skus})
        if chance.randrange(100) < 10:
            skus.append(chance.choice(self.scarce))
        return [(sku, chance.randint(1, 3)) for sku in skus]


def stocked(shop: Shop, habits: Habits = USUAL) -> Shelves:
    """New products for a run."""
    supplied = [
        shop.stock("supplied", 2, supply="SUPPLIER", supplier="acme", supplier_scenario=scenario)
        for scenario in habits.scenarios
    ]
    return Shelves([shop.stock("plenty", 100_000) for _ in range(6)], [shop.stock("scarce", 15) for _ in range(2)],
                   supplied)  # fmt: skip


class Crowd:
    """Customers who shop at the same time, each in a thread."""

    def __init__(
        self, shop: Shop, shelves: Shelves, seed: str, size: int, pause_seconds: float, habits: Habits = USUAL
    ) -> None:
        names = [f"{ids.new_id()[-12:]}-{number}" for number in range(size)]
        self.customers = [
            Customer(name, shop, random.Random(f"{seed}:{number}"), shelves, habits)
            for number, name in enumerate(names)
        ]
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=customer.shop_until, args=(self._stopping, pause_seconds), daemon=True)
            for customer in self.customers
        ]
        self.began_at = clock.now()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when everybody has had their last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def wishes(self) -> list[Wish]:
        return [wish for customer in self.customers for wish in customer.wishes]

    def newest(self) -> list[Wish]:
        """The last wishes of everybody."""
        return [wish for customer in self.customers for wish in customer.wishes[-2:]]

    def answers(self) -> Counter[int]:
        """How often which status was answered; 0 is no answer."""
        return Counter(status for wish in self.wishes for status, _ in wish.told)

    def ask_again(self, most: int) -> dict[str, Answer | None]:
        """The same requests once more, when all is quiet: by key, what each is told now."""
        by_key = {}
        for customer in self.customers:
            for wish in customer.wishes[: most // len(self.customers)]:
                by_key[wish.key] = customer.ask_once(wish, "wait=2")
        return by_key


def body_of(wish: Wish) -> dict[str, Any]:
    items = [{"sku": sku, "quantity": quantity} for sku, quantity in wish.lines]
    return {"customer_id": wish.customer, "idempotency_key": wish.key, "items": items, **wish.more}


def order_id_in(answer: Answer) -> str:
    """A refusal for want of stock names the order, too."""
    found = answer.body.get("order_id") if answer.status == 409 else (answer.data or {}).get("id")
    return str(found or "")
