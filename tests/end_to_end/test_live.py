"""Somebody watches a customer's orders while everything that tells them is killed: each change once, and in order."""

import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from signal import SIGTERM
from typing import Any

import pytest

from deploy.local import Stack
from tests.end_to_end.books import Books
from tests.end_to_end.shop import Shop
from tests.waiting import until


class Watcher:
    """Reads a stream as a browser does: when it is lost, it comes back with the last id."""

    def __init__(self, stack: Stack, path: str) -> None:
        self._port = 8080 + stack.place.port_offset
        self._path = f"/api/v1{path}"
        self.events: list[tuple[str, str, Any]] = []
        self.connections = 0
        self.last_id = ""
        self._is_over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def changes(self) -> list[tuple[str, int]]:
        """Orders and versions, as they were told."""
        return [(data["order_id"], data["version"]) for _, _, data in self.events]

    def close(self) -> None:
        """Watch no longer."""
        self._is_over = True

    def _watch(self) -> None:
        while not self._is_over:
            try:
                self._read()
            except (OSError, http.client.HTTPException):
                continue

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
            connection.request("GET", self._path, headers=headers)
            answer = connection.getresponse()
            self.connections += answer.status == 200
            found: dict[str, str] = {}
            while answer.status == 200 and (line := answer.readline()) and not self._is_over:
                if text := line.decode().rstrip("\r\n"):
                    name, _, found[name] = text.replace(": ", ":", 1).partition(":")
                else:
                    self._note(found)
                    found = {}
        finally:
            connection.close()

    def _note(self, found: dict[str, str]) -> None:
        self.last_id = found.get("id", self.last_id)
        if "data" in found:
            self.events.append((found["id"], found["event"], json.loads(found["data"])))


@pytest.fixture
def books(stack: Stack) -> Iterator[Books]:
    opened = Books(stack)
    yield opened
    opened.close()


@pytest.mark.timeout(300)
def test_no_change_is_missed_or_told_twice_while_those_who_tell_are_killed(stack: Stack, books: Books) -> None:
    shop, customer = Shop(stack), f"watched-{uuid.uuid4().hex[:8]}"
    sku = shop.stock("LIVE", 1_000)
    watcher = Watcher(stack, f"/customers/{customer}/events")
    assert until(lambda: watcher.last_id)

    def some_orders(happens: Callable[[], None]) -> None:
        placed = [shop.place_stubbornly([(sku, 1)], customer_id=customer) for _ in range(3)]
        happens()
        placed.append(shop.place_stubbornly([(sku, 1)], customer_id=customer))
        for order_id in placed:
            assert shop.comes_to(order_id, "COMPLETED", seconds=60)["status"] == "COMPLETED"

    for victim in ("order_service", "gateway"):
        some_orders(partial(stack.kill, victim))
    # Nobody says "look" any more: what happens is late, not lost.
    some_orders(partial(stack.take_down, "valkey"))
    some_orders(partial(stack.bring_up, "valkey"))

    expected = books.changes(customer)
    assert len(expected) == 4 * 4 * 4
    assert until(lambda: len(watcher.changes) >= len(expected), seconds=30)
    assert watcher.changes == expected
    assert watcher.connections >= 2, "the gateway was killed"
    watcher.close()


def test_a_gateway_that_is_told_to_stop_sends_its_watchers_on(stack: Stack) -> None:
    shop, customer = Shop(stack), f"watched-{uuid.uuid4().hex[:8]}"
    sku = shop.stock("LIVE", 1_000)
    watcher = Watcher(stack, f"/customers/{customer}/events")
    assert until(lambda: watcher.last_id)

    supervisor = stack.infrastructure.supervisor
    deaths = supervisor.deaths("gateway")
    stack.kill("gateway", SIGTERM)
    order_id = shop.place_stubbornly([(sku, 1)], customer_id=customer)

    assert until(lambda: (order_id, 4) in watcher.changes, seconds=30)
    assert [event for _, event, _ in watcher.events] == [
        "OrderPlaced", "OrderReserved", "OrderPaymentStarted", "OrderCompleted",
    ]  # fmt: skip
    watcher.close()
    # Whoever comes next finds the new one, not the old one at its end.
    assert until(lambda: supervisor.deaths("gateway") > deaths, seconds=60)
    stack.wait_ready("gateway")
