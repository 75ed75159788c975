"""Server-Sent Events: a watch as an HTTP answer that does not end (the HTML standard, section 9.2)."""

import random
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from gateway.live.happenings import id_line
from gateway.live.listener import Listener
from gateway.live.upstream import Upstream
from gateway.rest.answers import Answer, Headers, Stream
from gateway.rest.binding import Binding
from gateway.rest.channels import metadata_of
from gateway.rest.requests import Request
from protos.orders.v1 import orders_pb2 as pb

EVENT_STREAM: Final = b"text/event-stream"
# A proxy that gathers what passes through makes a stream a file.
_HEADERS: Final[Headers] = ((b"content-type", EVENT_STREAM), (b"x-accel-buffering", b"no"))


class EventStream:
    """Serves one face of watching."""

    def __init__(self, binding: Binding, upstream: Upstream) -> None:
        self._binding = binding
        self._upstream = upstream

    async def __call__(self, request: Request) -> Answer | Stream:
        """The stream, once its watch has begun; Problem when it is refused."""
        asked = pb.WatchOrdersRequest(**await self._binding.fields(request))
        listener = await self._upstream.open(asked, authorization_of(request))
        if request.verb == "HEAD":
            self._upstream.close(listener)
            return Answer(200, content_type=EVENT_STREAM)
        pieces = _pieces(listener, self._upstream)
        # Once it has begun it is sure to end in order, whatever becomes of the request.
        await anext(pieces)
        return Stream(200, pieces, _HEADERS, partial(listener.end, "gone"))


def authorization_of(request: Request) -> str:
    """The caller's token as it came. Raises Problem for what cannot be one."""
    return dict(metadata_of(request)).get("authorization", "")


async def _pieces(listener: Listener, upstream: Upstream) -> AsyncGenerator[bytes]:
    try:
        yield b""
        # Clients that were cut off together shall not all come back in one moment.
        yield b": here is what happens\nretry: %d\n%b\n" % (random.randint(500, 2500), id_line(listener.begin))
        while (given := await listener.next()) is not None:
            yield b"".join([each.lines for each in given]) or b":\n%b\n" % id_line(listener.position)
        yield b": %b; go on behind the last id\n\n" % listener.over.encode()
    finally:
        upstream.close(listener)
