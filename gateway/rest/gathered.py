"""Methods that read one thing, whose concurrent calls travel together; a lone call goes its own way.

A call costs both sides more than all the rest of reading an order; under load it is shared, and batches grow by
themselves: the next one fills while those before it are answered.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from chassis.limits.limits import VOUCHER
from gateway.rest.answers import Answer
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, class_of
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.problems import from_status
from gateway.rest.requests import Request
from gateway.rest.shapes import shape_of, tagged
from gateway.rest.unary import Unary

IN_FLIGHT: Final = 2
"""Calls at one time; while they are under way, others gather."""
MOST: Final = 200
"""Entries a batch."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits for its turn; its answer is None where it is to be asked for alone."""

    fields: dict[str, Any]
    request: Request
    result: "asyncio.Future[Any]"


class Gathered:
    """Serves one face."""

    def __init__(
        self, face: Face, alone: Unary, binding: Binding, channels: Channels, writers: Writers, deadline: float
    ) -> None:
        carrier = face.method.containing_service.methods_by_name[face.options.gathered_by]
        self._call = channels.unary(face.context, f"/{carrier.containing_service.full_name}/{carrier.name}", carrier)
        self._message = class_of(carrier.input_type)
        self._alone = alone
        self._binding = binding
        self._shape = shape_of(face, writers)
        self._writers = writers
        self._deadline = deadline
        self._queue: deque[Waiting] = deque()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request; Problem for a refusal."""
        if self._under_way < IN_FLIGHT and not self._queue:
            return await self._asked_alone(request)
        waiting = Waiting(await self._binding.fields(request), request, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._send()
        result = await waiting.result
        if result is None:
            return await self._alone(request)
        if result.WhichOneof("outcome") == "error":
            raise from_status(result.error, self._writers)
        return tagged(self._shape(getattr(result, result.WhichOneof("outcome"))), request)

    async def _asked_alone(self, request: Request) -> Answer:
        self._under_way += 1
        try:
            return await self._alone(request)
        finally:
            self._under_way -= 1
            self._send()

    def _send(self) -> None:
        while self._queue and self._under_way < IN_FLIGHT:
            self._under_way += 1
            batch = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
            task = asyncio.create_task(self._carry([each for each in batch if not each.result.done()]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, batch: Sequence[Waiting]) -> None:
        results: Sequence[Any] = ()
        try:
            if batch:
                metadata = _metadata_of(batch[0].request)
                answer = await self._call(self._said(batch), metadata=metadata, timeout=self._deadline)
                results = answer.results
        except grpc.aio.AioRpcError:
            # Each is asked for alone, as if there were no batches: that knows what to do about a service that is away,
            # and a service of the previous release has no batches.
            results = ()
        finally:
            self._under_way -= 1
            for place, waiting in enumerate(batch):
                if not waiting.result.done():
                    waiting.result.set_result(results[place] if len(results) == len(batch) else None)
            self._send()

    def _said(self, batch: Sequence[Waiting]) -> Any:
        return self._message(
            entries=[
                {"request": each.fields, "authorization": each.request.header(b"authorization") or ""} for each in batch
            ]
        )


def _metadata_of(first: Request) -> Any:
    """The batch is of the first one's trace. Where one request was counted here, all were."""
    voucher = ((VOUCHER, first.voucher),) if first.voucher else ()
    return (("traceparent", first.traceparent), *voucher)
