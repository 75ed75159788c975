"""WebSocket: a customer's watch as messages of the channel `orders.{customer_id}`."""

import asyncio
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from chassis import clock
from chassis.access.door import Gate
from gateway.live.event_streams import authorization_of
from gateway.live.happenings import message_of
from gateway.live.listener import TOO_SLOW, Listener
from gateway.live.upstream import STOPPING, Upstream
from gateway.rest.answers import of_problem
from gateway.rest.guarded import let_in
from gateway.rest.problems import Problem, invalid
from gateway.rest.requests import Receive, Request, Scope, Send
from protos.orders.v1 import orders_pb2 as pb

WATCHING: Final = "/orders.v1.OrderService/WatchOrders"
"""Whoever may call this may open a WebSocket."""
PATHS: Final = ("/ws", "/api/ws", "/api/v1/ws")
MOST_MESSAGES: Final = 20
_WHILE_SECONDS: Final = 10.0
"""For how long that many messages of a client are borne, though nothing is made of them."""

_GOING_AWAY, _POLICY, _AGAIN_LATER, _RESTART = 1001, 1008, 1013, 1012
_CODES: Final = {TOO_SLOW: _AGAIN_LATER, STOPPING: _RESTART}


class Sockets:
    """Serves WebSockets: whoever may read a customer's orders may watch them here."""

    def __init__(self, upstream: Upstream, gate: Gate | None, origins: frozenset[str]) -> None:
        self._upstream = upstream
        self._gate = gate
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its handshake to its end."""
        await receive()
        request = Request(scope, receive)
        try:
            channel, listener = await self._opened(request)
        except Problem as problem:
            await _refuse(send, request, problem)
            return
        try:
            await send({"type": "websocket.accept"})
            await _serve(channel, listener, receive, send)
        finally:
            self._upstream.close(listener)

    async def _opened(self, request: Request) -> tuple[str, Listener]:
        if request.path not in PATHS:
            raise Problem(404, "not_found", "There is nothing here.")
        self._require_origin(request)
        if self._gate is not None:
            await let_in(self._gate, request)
        asked = pb.WatchOrdersRequest(**_parameters(request))
        listener = await self._upstream.open(asked, authorization_of(request))
        return f"orders.{asked.customer_id}", listener

    def _require_origin(self, request: Request) -> None:
        """A browser lets any page open a WebSocket to anywhere, with the user's credentials: so this must ask."""
        origin = request.header(b"origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return
        if _place_of(origin) != (request.header(b"host") or "").lower():
            raise Problem(403, "permission_denied", "This page may not watch here.")


def _place_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _parameters(request: Request) -> dict[str, str]:
    """What the query asks for; the last id may come as a header, too, where a client can set one."""
    names = Counter(name for name, _ in request.parameters)
    given = {"last_event_id": request.header(b"last-event-id") or ""} | dict(request.parameters)
    errors = {name[:255]: ["is not a known parameter"] for name in names.keys() - {"customer_id", "last_event_id"}}
    errors |= {name[:255]: ["is given more than once"] for name, times in names.items() if times > 1}
    if not given.get("customer_id"):
        errors["customer_id"] = ["is required"]
    if errors:
        raise invalid(errors)
    return given


async def _serve(channel: str, listener: Listener, receive: Receive, send: Send) -> None:
    hearing = asyncio.create_task(_hear_out(receive))
    hearing.add_done_callback(lambda _: listener.end("gone"))
    try:
        await send({"type": "websocket.send", "text": message_of(channel, "watching", listener.begin)})
        while (given := await listener.next()) is not None:
            for each in given:
                await send({"type": "websocket.send", "text": each.message(channel)})
        if not hearing.done():
            await _close(send, _CODES.get(listener.over, _GOING_AWAY), listener.over)
        elif hearing.result():
            await _close(send, _POLICY, "this channel takes no messages")
    finally:
        hearing.cancel()


async def _hear_out(receive: Receive) -> bool:
    """Returns when the client has gone, or (true) when it has said more than anybody needs to."""
    heard, since = 0, clock.monotonic()
    while heard < MOST_MESSAGES:
        if (await receive())["type"] == "websocket.disconnect":
            return False
        if clock.monotonic() > since + _WHILE_SECONDS:
            heard, since = 0, clock.monotonic()
        heard += 1
    return True


async def _close(send: Send, code: int, reason: str) -> None:
    await send({"type": "websocket.close", "code": code, "reason": reason})


async def _refuse(send: Send, request: Request, problem: Problem) -> None:
    """Over HTTP, like everything else."""
    answer = of_problem(problem, request)
    headers = [*answer.content, *answer.common, *answer.headers, *request.told]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})
