"""What customers were told, held against what the databases say (I8, I9)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from tests.chaos.invariants import MOST_ROWS, Broken
from tests.chaos.load import NO_ANSWER, Wish
from tests.end_to_end.shop import Answer

_ORDERS: Final = """
    SELECT CAST(id AS text) AS id, idempotency_key, customer_id, status, attention, failure_code,
           jsonb_array_length(items) AS lines
    FROM orders.orders WHERE idempotency_key = ANY(:keys)
"""


def orders_of(connection: Connection, wishes: Sequence[Wish]) -> list[Mapping[str, Any]]:
    """What became of wishes."""
    rows = connection.execute(text(_ORDERS), {"keys": [wish.key for wish in wishes]}).mappings()
    return [dict(row) for row in rows]


class Record:
    """The orders of one run by key, beside the wishes that they came from."""

    def __init__(self, orders: Sequence[Mapping[str, Any]], wishes: Sequence[Wish]) -> None:
        self._wishes = wishes
        self._orders = {row["idempotency_key"]: row for row in orders}

    @property
    def orders(self) -> Sequence[Mapping[str, Any]]:
        return list(self._orders.values())

    def broken(self) -> Broken:
        """What customers were told and is not so."""
        found: Broken = {
            "I8 an order that was answered for exists": [self._lost(wish) for wish in self._wishes if self._lost(wish)],
            "I8 an order exists whole": [self._torn(wish) for wish in self._wishes if self._torn(wish)],
            "I8 who was told CANCELLED finds it cancelled": [
                self._uncancelled(wish) for wish in self._wishes if self._uncancelled(wish)
            ],
            "I9 one key is one order": [
                {"key": wish.key, "order_ids": sorted(wish.order_ids)}
                for wish in self._wishes
                if len(wish.order_ids) > 1
            ],
        }
        return {name: rows[:MOST_ROWS] for name, rows in found.items() if rows}

    def broken_repeats(self, answers: Mapping[str, Answer | None]) -> Broken:
        """What is told to those who ask once more, and is not what their order has earned."""
        wrong = [row for key, answer in answers.items() if (row := self._wrongly_repeated(key, answer))]
        return {"I9 a repeat is told what the order has earned": wrong[:MOST_ROWS]} if wrong else {}

    def _lost(self, wish: Wish) -> Mapping[str, Any]:
        order = self._orders.get(wish.key)
        if not wish.order_ids or (order and order["id"] in wish.order_ids):
            return {}
        return {"key": wish.key, "told": wish.told, "order_id": order["id"] if order else None}

    def _torn(self, wish: Wish) -> Mapping[str, Any]:
        order = self._orders.get(wish.key)
        if order is None or (order["lines"] == len(wish.lines) and order["customer_id"] == wish.customer):
            return {}
        return {"order_id": order["id"], "lines": order["lines"], "asked": len(wish.lines)}

    def _uncancelled(self, wish: Wish) -> Mapping[str, Any]:
        """202 promises the end, too: CANCELLING has no other way out."""
        promised = any(status in (200, 202) for status, _ in wish.cancels)
        order = self._orders.get(wish.key)
        if not promised or order is None or order["status"] in ("CANCELLED", "CANCELLING"):
            return {}
        return {"order_id": order["id"], "status": order["status"], "cancels": wish.cancels}

    def _wrongly_repeated(self, key: str, answer: Answer | None) -> Mapping[str, Any]:
        order = self._orders.get(key)
        if order is None or answer is None:
            return {"key": key, "answer": NO_ANSWER if answer is None else answer.status} if order else {}
        earned = 409 if order["failure_code"] == "insufficient_stock" else (200, 202)
        named = answer.body.get("order_id") if answer.status == 409 else (answer.data or {}).get("id")
        is_right = answer.status == earned if isinstance(earned, int) else answer.status in earned
        if is_right and named == order["id"] and answer.headers.get("idempotent-replayed") == "true":
            return {}
        return {"order_id": order["id"], "status": order["status"], "answer": answer.status, "named": named}
