"""The one stream from the order service on which all clients of this gateway watch.

A gRPC stream for each of thousands of idle clients would cost the gateway more than all else about them. When the
stream breaks, each watch is asked for again behind what it was given last: its client notices a pause, and no gap.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import Any, Final

import grpc

from chassis.logs import get_logger
from chassis.metrics import gauge
from gateway.live.happenings import Happening
from gateway.live.listener import Listener
from gateway.rest.encoding import Writers
from gateway.rest.problems import Problem, from_status, overloaded, unexplained
from protos.orders.v1 import orders_pb2 as pb

JOIN_SECONDS: Final = 5.0
"""How long a watch may take to begin."""
BEAT_SECONDS: Final = 15
"""How often a client hears that all is well."""
STOPPING: Final = "stopping"
_AT_ONCE: Final = 200
_AGAIN_SECONDS: Final = 0.5

log = get_logger(__name__)


class Upstream:
    """Opens watches and closes them; at most `most` at a time. Lives on the event loop."""

    def __init__(self, call: Callable[..., Any], writers: Writers, most: int) -> None:
        self._call = call
        self._writers = writers
        event: Any = pb.OrderEvent.DESCRIPTOR
        self._write_event = writers.of(event)
        self._most = most
        self._listeners: dict[int, Listener] = {}
        self._ids = count(1)
        self._to_add: list[Listener] = []
        self._to_remove: list[int] = []
        self._asked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False
        gauge("gateway", "watching", "Clients that watch orders").set_function(lambda: len(self._listeners))

    async def open(self, request: pb.WatchOrdersRequest, authorization: str) -> Listener:
        """A watch that has begun. Raises Problem when it is refused, or when nobody answers."""
        if self._is_stopping:
            raise overloaded("This gateway stops; another one goes on.")
        if len(self._listeners) >= self._most:
            raise overloaded("Too many are watching; try again shortly.")
        added = pb.AddedWatch(watch_id=next(self._ids), request=request, authorization=authorization)
        listener = Listener(added, asyncio.get_running_loop().create_future())
        self._listeners[listener.id] = listener
        self._to_add.append(listener)
        self._begin()
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await listener.joined
        except TimeoutError:
            self.close(listener)
            raise unexplained(503) from None
        except BaseException:
            self.close(listener)
            raise
        return listener

    def close(self, listener: Listener) -> None:
        """Its client is gone, or was."""
        if self._listeners.pop(listener.id, None) is not None:
            self._to_remove.append(listener.id)
            self._asked.set()

    def stop(self) -> None:
        """End all watches in order: their clients come back, to another gateway, behind what they have."""
        self._is_stopping = True
        for listener in self._listeners.values():
            listener.end(STOPPING)

    def close_all(self) -> None:
        """Nobody is left to be told."""
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        self._asked.set()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._beat())]
            self._tasks[0].add_done_callback(self._has_followed)

    async def _follow(self) -> None:
        while True:
            try:
                await self._one_stream()
            except grpc.aio.AioRpcError as error:
                log.warning("the stream of orders broke off", watching=len(self._listeners), code=error.code().name)
            await asyncio.sleep(_AGAIN_SECONDS * random.uniform(0.2, 1.0))

    def _has_followed(self, task: "asyncio.Task[None]") -> None:
        """Whatever it ran into, nobody waits for news that do not come: all come back, behind what they have."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("the stream of orders failed", watching=len(self._listeners), exc_info=error)
        self.close_all()
        self._tasks = []
        for listener in self._listeners.values():
            listener.refuse(unexplained(503))

    async def _one_stream(self) -> None:
        call = self._call(wait_for_ready=True)
        # Whoever was on the last one is asked for again, behind what it was given.
        self._to_add, self._to_remove = list(self._listeners.values()), []
        self._asked.set()
        asking = asyncio.create_task(self._ask(call))
        try:
            async for message in call:
                self._hear(message)
        finally:
            asking.cancel()
            call.cancel()

    async def _ask(self, call: Any) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._to_add or self._to_remove:
                added, self._to_add = self._to_add[:_AT_ONCE], self._to_add[_AT_ONCE:]
                removed, self._to_remove = self._to_remove[:_AT_ONCE], self._to_remove[_AT_ONCE:]
                await call.write(pb.BatchWatchOrdersRequest(added=_again(added), removed=removed))

    def _hear(self, message: pb.BatchWatchOrdersResponse) -> None:
        for joined in message.joined:
            if (listener := self._listeners.get(joined.watch_id)) is not None:
                listener.is_caught_up = joined.is_caught_up
                listener.has_joined(joined.position)
        for delivery in message.deliveries:
            happening = Happening(delivery.event, self._write_event)
            for watch_id in delivery.watch_ids:
                if (listener := self._listeners.get(watch_id)) is not None:
                    listener.offer(happening)
        for ended in message.ended:
            if (listener := self._listeners.pop(ended.watch_id, None)) is not None:
                listener.refuse(self._problem(ended))
        if message.position:
            for listener in self._listeners.values():
                if listener.is_caught_up and not listener.over:
                    listener.position = message.position

    def _problem(self, ended: pb.EndedWatch) -> Problem:
        return from_status(ended.error, self._writers)

    async def _beat(self) -> None:
        """In turns, so that thousands of signs of life do not leave in one moment."""
        turn = 0
        while True:
            await asyncio.sleep(1)
            turn = (turn + 1) % BEAT_SECONDS
            for listener in [each for each in self._listeners.values() if each.id % BEAT_SECONDS == turn]:
                listener.beat()


def _again(listeners: Iterable[Listener]) -> list[pb.AddedWatch]:
    """As they are asked for now: behind what they were given last."""
    asked = []
    for listener in listeners:
        listener.is_caught_up = False
        listener.added.request.last_event_id = listener.position
        asked.append(listener.added)
    return asked


def upstream_of(channel: grpc.aio.Channel, writers: Writers, most: int) -> Upstream:
    """On a channel to the order service."""
    call = channel.stream_stream(
        "/orders.v1.OrderService/BatchWatchOrders",
        request_serializer=pb.BatchWatchOrdersRequest.SerializeToString,
        response_deserializer=pb.BatchWatchOrdersResponse.FromString,
    )
    return Upstream(partial(call), writers, most)
