"""Somebody who watches, and notes what he is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import Counter


class Ear:
    """One watch, heard in a task of its own until it ends or is closed."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.heard: list[pb.OrderEvent] = []
        self.ended: grpc.aio.AioRpcError | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def of(cls, counter: Counter, last_event_id: str = "", **subject: str) -> "Ear":
        """A watch that has joined."""
        ear = cls(counter.orders.WatchOrders(pb.WatchOrdersRequest(last_event_id=last_event_id, **subject)))
        await ear.call.initial_metadata()
        return ear

    @property
    def types(self) -> list[str]:
        """What has happened, by name."""
        return [event.type for event in self.heard]

    @property
    def ids(self) -> list[str]:
        """What has happened, by id."""
        return [event.id for event in self.heard]

    async def position(self) -> str:
        """Where it began."""
        return str(dict(await self.call.initial_metadata())["position"])

    async def until(self, *types: str) -> list[pb.OrderEvent]:
        """All that was heard, once it ends in these."""
        await self.hears(lambda: self.types[-len(types) :] == list(types))
        return self.heard

    async def until_over(self) -> grpc.aio.AioRpcError:
        """What it ended in."""
        await self.hears(lambda: self.ended is not None)
        assert self.ended is not None
        return self.ended

    async def hears(self, condition: Callable[[], bool]) -> None:
        """Returns when it comes true."""
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        """Watch no longer."""
        self.call.cancel()

    async def _listen(self) -> None:
        try:
            async for event in self.call:
                self.heard.append(event)
                self._changed.set()
        except grpc.aio.AioRpcError as error:
            self.ended = error
            self._changed.set()
        except asyncio.CancelledError:
            return
