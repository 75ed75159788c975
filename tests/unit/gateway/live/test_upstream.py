"""The one stream on which all clients of a gateway watch: what becomes of them when it fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.live.upstream import Upstream
from gateway.rest.encoding import Writers
from gateway.rest.problems import Problem
from protos.orders.v1 import orders_pb2 as pb

REQUEST = pb.WatchOrdersRequest(customer_id="c-17")


class Streams:
    """Calls of the order service: each lets in whoever asks, until `failing` is set."""

    def __init__(self) -> None:
        self.failing = asyncio.Event()
        self.opened = 0

    def __call__(self, *, wait_for_ready: bool) -> "Stream":
        assert wait_for_ready
        self.opened += 1
        return Stream(self.failing)


class Stream:
    """One of them."""

    def __init__(self, failing: asyncio.Event) -> None:
        self._failing = failing
        self._answers: asyncio.Queue[pb.BatchWatchOrdersResponse] = asyncio.Queue()

    async def write(self, request: pb.BatchWatchOrdersRequest) -> None:
        for added in request.added:
            joined = pb.JoinedWatch(watch_id=added.watch_id, position="5", is_caught_up=True)
            self._answers.put_nowait(pb.BatchWatchOrdersResponse(joined=[joined]))

    def cancel(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[Any]:
        failing = asyncio.create_task(self._failing.wait())
        while True:
            answer = asyncio.create_task(self._answers.get())
            await asyncio.wait([failing, answer], return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                answer.cancel()
                raise RuntimeError("what nobody has thought of")
            yield answer.result()


def test_when_the_stream_fails_all_who_watch_come_back_and_the_next_one_begins_anew() -> None:
    async def scenario() -> None:
        streams = Streams()
        upstream = Upstream(streams, Writers(), most=10)
        listener = await upstream.open(REQUEST, "")

        streams.failing.set()
        while await listener.next() is not None:
            pass
        assert (listener.over, listener.position) == ("unavailable", "5")
        upstream.close(listener)

        with pytest.raises(Problem) as refused:
            await upstream.open(REQUEST, "")
        assert refused.value.status == 503

        streams.failing.clear()
        again = await upstream.open(REQUEST, "")
        assert again.over == ""
        assert streams.opened == 3
        upstream.close_all()

    async def run() -> None:
        async with asyncio.timeout(4):  # who waits to begin is told at once, and not when the time for that is over
            await scenario()

    asyncio.run(run())
