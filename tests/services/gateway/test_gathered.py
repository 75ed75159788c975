"""Orders that many ask for at one time: one call for those who come together, and to each their own answer."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from chassis.errors import NotFound, PermissionDenied
from chassis.status import status_of
from protos.orders.v1 import orders_pb2 as pb
from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import an_order
from tests.waiting import until

ONE = "/orders.v1.OrderService/GetOrder"
MANY = "/orders.v1.OrderService/BatchGetOrders"


class Shelf:
    """An order service that holds its first answers back until it is told to go on."""

    def __init__(self, stage: Stage) -> None:
        self._go_on = asyncio.Event()
        self._stage = stage
        self.alone: list[str] = []
        self.batches: list[list[Any]] = []
        stage.orders.on(ONE, self._one)
        stage.orders.on(MANY, self._many)

    def go_on(self) -> None:
        self._stage.loop.call_soon_threadsafe(self._go_on.set)

    def arrived(self) -> int:
        """Requests that the gateway has begun to answer."""
        return sum("run_asgi" in repr(task.get_coro()) for task in asyncio.all_tasks(self._stage.loop))

    async def _one(self, request: pb.GetOrderRequest, context: Any) -> pb.Order:
        self.alone.append(request.order_id)
        await self._go_on.wait()
        return an_order(id=request.order_id)

    async def _many(self, request: pb.BatchGetOrdersRequest, context: Any) -> pb.BatchGetOrdersResponse:
        self.batches.append(list(request.entries))
        return pb.BatchGetOrdersResponse(results=[_result(entry) for entry in request.entries])


def _result(entry: pb.BatchGetOrdersEntry) -> pb.BatchGetOrdersResult:
    order_id = entry.request.order_id
    if order_id == "none":
        return pb.BatchGetOrdersResult(error=status_of(NotFound("there is no such order")))
    if not entry.authorization.endswith(order_id):
        return pb.BatchGetOrdersResult(error=status_of(PermissionDenied("not this one")))
    return pb.BatchGetOrdersResult(order=an_order(id=order_id, version=7))


@pytest.fixture
def shelf(stage: Stage) -> Iterator[Shelf]:
    shelf = Shelf(stage)
    yield shelf
    shelf.go_on()


def ask(client: httpx.Client, order_id: str, token: str = "", **headers: str) -> httpx.Response:
    return client.get(f"/orders/{order_id}", headers={"authorization": f"Bearer {token or order_id}", **headers})


def together(client: httpx.Client, shelf: Shelf, wanted: list[tuple[str, dict[str, str]]]) -> list[httpx.Response]:
    """Two are under way, the others come while they are."""
    with ThreadPoolExecutor(len(wanted) + 2) as pool:
        first = [pool.submit(ask, client, f"first-{number}") for number in range(2)]
        assert until(lambda: len(shelf.alone) == 2)
        others = [pool.submit(ask, client, order_id, **headers) for order_id, headers in wanted]
        assert until(lambda: shelf.arrived() == len(wanted) + 2)
        shelf.go_on()
        assert [each.result().status_code for each in first] == [200, 200]
        return [each.result() for each in others]


def test_a_lone_question_goes_its_own_way(client: httpx.Client, shelf: Shelf) -> None:
    shelf.go_on()

    assert ask(client, "a").json()["data"]["id"] == "a"
    assert (shelf.alone, shelf.batches) == (["a"], [])


def test_questions_that_come_together_travel_together_and_each_has_its_own_answer(
    client: httpx.Client, shelf: Shelf
) -> None:
    wanted: list[tuple[str, dict[str, str]]] = [(f"order-{number}", {}) for number in range(20)]
    wanted += [("none", {}), ("order-1", {"token": "somebody-else"}), ("order-2", {"if-none-match": '"7"'})]

    answers = together(client, shelf, wanted)

    assert [answer.json()["data"]["id"] for answer in answers[:20]] == [order_id for order_id, _ in wanted[:20]]
    assert [answer.status_code for answer in answers[20:]] == [404, 403, 304]
    assert answers[0].headers["etag"] == '"7"'
    assert shelf.batches
    asked = [entry.authorization for batch in shelf.batches for entry in batch]
    assert "Bearer somebody-else" in asked, "each with the token of its own caller"


def test_a_service_without_batches_is_asked_one_by_one(client: httpx.Client, shelf: Shelf, stage: Stage) -> None:
    """The order service of the previous release, beside a gateway of this one."""
    stage.orders.on(MANY, None)  # type: ignore[arg-type]  # as if nothing had been said of it

    answers = together(client, shelf, [(f"order-{number}", {}) for number in range(8)])

    assert {answer.status_code for answer in answers} == {200}
    assert len(shelf.alone) == 10
