"""A shop that places orders over REST, and asks again when it is not answered, as a shop would."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local import Stack
from tests.waiting import until


@dataclass(frozen=True)
class Answer:
    """A REST answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        return self.body.get("data") if isinstance(self.body, dict) else None


class Shop:
    """Speaks REST to a running stack."""

    def __init__(self, stack: Stack, port: int | None = None) -> None:
        """By way of another gateway than the usual one, where a port is given."""
        self._base = f"http://127.0.0.1:{port or stack.place.port('rest')}/api/v1"

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, timeout: float = 35
    ) -> Answer:
        """One request; refusals are answers, not exceptions."""
        request = urllib.request.Request(
            self._base + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                raw, status, given = answer.read(), answer.status, answer.headers
        except urllib.error.HTTPError as refusal:
            raw, status, given = refusal.read(), refusal.code, refusal.headers
        return Answer(status, json.loads(raw) if raw else None, {name.lower(): value for name, value in given.items()})

    def stock(self, name: str, quantity: int, price: str = "2.55", **more: Any) -> str:
        """A new product with so many pieces of it on the shelf; its SKU."""
        sku = f"{name}-{uuid.uuid4().hex[:8]}".upper()
        product = {"name": name, "price": price, "currency": "GBP", "supply": "STOCK", **more}
        made = self.call("PUT", f"/products/{sku}", product)
        assert made.status in (200, 201), made
        if quantity:
            receipt = {"quantity": quantity, "reason": "opening stock", "idempotency_key": f"open-{sku}"}
            assert self.call("POST", f"/products/{sku}/receipts", receipt).status == 201
        return sku

    def place(
        self, lines: Sequence[tuple[str, int]], *, key: str | None = None, prefer: str = "wait=10", **more: Any
    ) -> Answer:
        """Place an order."""
        body = {
            "customer_id": "c-1",
            "idempotency_key": key or uuid.uuid4().hex,
            "items": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        }
        return self.call("POST", "/orders", body | more, {"Prefer": prefer})

    def place_stubbornly(self, lines: Sequence[tuple[str, int]], seconds: float = 60, **more: Any) -> str:
        """Place an order under one key until somebody answers for it; its id."""
        key = uuid.uuid4().hex

        def asked() -> str | None:
            try:
                answer = self.place(lines, key=key, prefer="respond-async", **more)
            except (OSError, urllib.error.URLError):
                return None
            return str(answer.data["id"]) if answer.status in (200, 201, 202) else None

        order_id = until(asked, seconds=seconds, every=0.1)
        assert order_id, "nobody answered for the order"
        return order_id

    def order(self, order_id: str) -> Any:
        """The order as it stands."""
        return self.call("GET", f"/orders/{order_id}").data

    def comes_to(self, order_id: str, *statuses: str, seconds: float = 20) -> Any:
        """The order once it is in one of `statuses`, else as it is when the time is over."""
        until(lambda: (found := self.order(order_id)) and found["status"] in statuses, seconds=seconds)
        return self.order(order_id)
