"""A running system, and a client who asks again until somebody answers, and sees how it ends."""

import json
import urllib.request
from collections.abc import Container, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

import grpc
from sqlalchemy import Engine, text

from chassis import dead_letters, ids
from chassis.dead_letters import Letter
from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret
from deploy.local import Stack
from protos.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from tests.chaos.topics import Topics, Written
from tests.end_to_end.shop import Answer, Shop
from tests.waiting import until

END_SECONDS: Final = 45.0


@dataclass(frozen=True)
class Scene:
    """A running system, and a client who does not take silence for an answer."""

    stack: Stack
    shop: Shop
    engine: Engine
    point: str = ""
    """The failpoint at which a service is going to die."""

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a request that is repeated until somebody answers."""

        def asked() -> Answer | None:
            try:
                answer = self.shop.call(method, path, body, headers, timeout=10)
            except (OSError, HTTPException, json.JSONDecodeError):
                return None
            return answer if answer.status < 500 and answer.status != 429 else None

        answer = until(asked, seconds=END_SECONDS, every=0.1)
        assert answer, f"nobody answered {method} {path}"
        return answer

    def see(self, path: str) -> Any:
        """What stands there now."""
        return self.ask("GET", path).data

    def place(self, sku: str, quantity: int, **more: Any) -> str:
        """An order that was answered for; its id."""
        return self.shop.place_stubbornly([(sku, quantity)], seconds=END_SECONDS, **more)

    def comes_to(self, order_id: str, status: str, **more: Any) -> None:
        """The order gets there, in time."""

        def has_come() -> bool:
            order = self.see(f"/orders/{order_id}")
            return all(order[name] == value for name, value in {"status": status, **more}.items())

        assert until(has_come, seconds=END_SECONDS, every=0.05), self.see(f"/orders/{order_id}")

    def is_left(self, sku: str, pieces: int) -> None:
        """So many pieces are on the shelf in the end, and none is held."""
        assert until(lambda: self._on_the_shelf(sku) == (pieces, 0), every=0.05), self._on_the_shelf(sku)

    def _on_the_shelf(self, sku: str) -> tuple[int, int]:
        seen = self.see(f"/inventory/{sku}")
        return seen["on_hand"], seen["reserved"]

    def hold(self, sku: str, pieces: int) -> str:
        """As another team's service does, under one id until it is answered; the id."""
        line = inventory_pb2.ReservationLine(sku=sku, quantity=pieces)
        request = inventory_pb2.ReserveStockRequest(reservation_id=ids.new_id(), lines=[line])

        def is_held() -> bool:
            with grpc.insecure_channel(self.stack.place.address("inventory")) as channel:
                try:
                    inventory_pb2_grpc.InventoryServiceStub(channel).ReserveStock(request, timeout=10)
                except grpc.RpcError:
                    return False
            return True

        assert until(is_held, seconds=END_SECONDS, every=0.1), "nothing was held"
        return request.reservation_id

    def change(self, statement: str, **parameters: Any) -> None:
        """What else only time or bad luck would do."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def park(self, context: str, consumer: str, letter: Letter) -> None:
        """Nobody tries it again by himself for an hour."""
        with self.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL search_path TO {context}"))
            dead_letters.park(connection, consumer, [letter])
            connection.execute(text("UPDATE parked_keys SET next_try_at = now() + interval '1 hour'"))

    def letters(self, context: str) -> list[Any]:
        """What is parked there."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(f"SELECT key, type, reason, error FROM {context}.dead_letters")))

    def is_free_of_letters(self, context: str) -> None:
        """Nothing is parked there any more, in time."""
        assert until(lambda: not self.letters(context), seconds=END_SECONDS, every=0.05), self.letters(context)

    def told_of(self, key: str, types: Container[str]) -> Written:
        """The last that was told under a key, of these types."""
        records = Topics(self.stack.infrastructure.kafka_bootstrap_servers).read_on()
        return [record for record in records if record.key == key and record.type in types][-1]

    def signed(self, secret: str, message: object) -> dict[str, str]:
        """The headers of a webhook with this message."""
        timestamp, signature = WebhookSecret(self.stack.environment[secret]).signed_now(json.dumps(message).encode())
        return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}

    def goods_come(self, order_id: str) -> None:
        """The supplier says that it has delivered."""
        [goods] = until(lambda: self.see(f"/supplier-orders?order_id={order_id}"), every=0.05)
        news = {"reference": goods["id"], "status": "ok"}
        told = self.ask("POST", "/webhooks/suppliers/simulated", news, self.signed("SUPPLIER_WEBHOOK_SECRET", news))
        assert told.status == 202, told

    def upload(self, source: str, file: bytes) -> str:
        """Send a file to be imported until somebody has taken it; the id of the import."""
        url = f"http://{self.stack.place.address('rest')}/api/v1/imports?source={source}"
        request = urllib.request.Request(url, file, {"Content-Type": "text/csv"})

        def uploaded() -> str:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return str(json.loads(answer.read())["data"]["id"])
            except (OSError, HTTPException, json.JSONDecodeError):
                return ""

        import_id = until(uploaded, seconds=END_SECONDS, every=0.1)
        assert import_id, "nobody took the file"
        return import_id
