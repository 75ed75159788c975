"""Concurrent orders share a batch, and each hears what became of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client import REGISTRY

from chassis.errors import Overloaded
from tests.services.gateway.conftest import Place, Stage
from tests.services.gateway.services import answered, decided, refuse, stored, take_orders
from tests.waiting import until

BATCH = "/orders.v1.OrderService/BatchCreateOrders"
PATIENT = {"Prefer": "wait=30"}
"""For those who are to wait at the gate together, however long a busy machine takes to send them all."""


class Gate:
    """Lets batches pass when the test says so."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._open = asyncio.Event()
        stage.orders.on(BATCH, self._behave)

    async def _behave(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._open.wait()
        async for response in take_orders(request, context):
            yield response

    def open(self) -> None:
        self._stage.loop.call_soon_threadsafe(self._open.set)


AtOnce = Callable[[int], list[Future[httpx.Response]]]


@pytest.fixture
def at_once(place: Place) -> Iterator[AtOnce]:
    with ThreadPoolExecutor(80) as pool:
        yield lambda count: [pool.submit(place, PATIENT, idempotency_key=f"k-{index}") for index in range(count)]


def test_what_comes_while_batches_are_being_stored_leaves_in_one(stage: Stage, at_once: AtOnce) -> None:
    gate = Gate(stage)
    first = at_once(2)
    assert until(lambda: len(stage.orders.asked) in (1, 2) and sum(len(b.entries) for b in stage.orders.asked) == 2)
    others = at_once(1)
    under_way = until(lambda: len(stage.orders.asked) == 2)
    more = at_once(30)
    assert until(lambda: waiting() == 33)

    gate.open()

    assert under_way
    assert {answer.result().status_code for answer in [*first, *others, *more]} == {201}
    assert max(len(batch.entries) for batch in stage.orders.asked) >= 29


def test_beyond_the_bound_orders_are_refused_at_once(stage: Stage, at_once: AtOnce) -> None:
    gate = Gate(stage)
    answers = at_once(70)
    assert until(lambda: sum(answer.done() for answer in answers) == 6)
    refused = [answer for answer in answers if answer.done()]

    gate.open()

    statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [201] * 64 + [503] * 6
    assert refused[0].result().headers["retry-after"] == "1"
    assert refused[0].result().json()["error_code"] == "unavailable"


def test_large_orders_travel_in_batches_that_a_service_can_take(stage: Stage, place: Place) -> None:
    gate = Gate(stage)
    notes = {f"note-{index}": "x" * 20_000 for index in range(40)}
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(place, PATIENT, idempotency_key=f"k-{index}", metadata=notes) for index in range(20)]
        assert until(lambda: waiting() == 20)
        gate.open()

        assert {answer.result().status_code for answer in answers} == {201}
    assert max(batch.ByteSize() for batch in stage.orders.asked) < 4_000_000


def test_a_stored_order_whose_stream_breaks_is_answered_with_what_is_known(stage: Stage, place: Place) -> None:
    async def store_and_break(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(stored(0))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")

    stage.orders.on(BATCH, store_and_break)
    answer = place()

    assert (answer.status_code, answer.json()["data"]["status"]) == (202, "PENDING")


def test_an_order_that_was_not_stored_may_be_tried_again(stage: Stage, place: Place) -> None:
    async def break_off(request: Any, context: Any) -> AsyncIterator[Any]:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "secret address of the inside")
        yield

    stage.orders.on(BATCH, break_off)
    answer = place()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "secret" not in answer.text


def test_a_stream_that_ends_without_a_word_is_no_success(stage: Stage, place: Place) -> None:
    async def say_nothing(request: Any, context: Any) -> AsyncIterator[Any]:
        return
        yield

    stage.orders.on(BATCH, say_nothing)

    assert place().status_code == 503


def test_a_whole_batch_may_be_refused(stage: Stage, place: Place) -> None:
    async def overloaded(request: Any, context: Any) -> AsyncIterator[Any]:
        await refuse(context, Overloaded("Too much to do.", retry_after=3))
        yield

    stage.orders.on(BATCH, overloaded)
    answer = place()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["message"] == "Too much to do."


def test_a_service_that_is_silent_costs_no_more_than_the_deadline(stage: Stage, place: Place) -> None:
    async def sleep(request: Any, context: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    stage.orders.on(BATCH, sleep)
    answer = place({"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["error_code"]) == (504, "deadline_exceeded")


def test_who_waits_long_does_not_hold_up_the_next_batch(stage: Stage, client: httpx.Client, at_once: AtOnce) -> None:
    decision = asyncio.Event()

    async def store_and_wait(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(*(stored(index) for index in range(len(request.entries))))
        await decision.wait()
        yield answered(*(decided(index) for index in range(len(request.entries))))

    stage.orders.on(BATCH, store_and_wait)
    answers: list[Future[httpx.Response]] = []
    for count in range(1, 6):
        answers += at_once(1)
        assert until(partial(has_been_asked, stage, count))
    stage.loop.call_soon_threadsafe(decision.set)

    assert {answer.result().status_code for answer in answers} == {201}


def has_been_asked(stage: Stage, times: int) -> bool:
    """Whether so many batches have reached the service."""
    return len(stage.orders.asked) == times


def waiting() -> int:
    """How many orders wait for their answer, by the gateway's own count."""
    return int(REGISTRY.get_sample_value("gateway_batched_requests_waiting") or 0)
