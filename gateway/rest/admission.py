"""How many requests are inside at once: the others are told at once to come again.

Work that is begun and not finished in time helps nobody, and its caller asks for it again: so what cannot be done soon
is refused before anything is spent on it, and the rest goes on as fast as ever.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from chassis.metrics import counter, gauge
from gateway.rest.answers import Answer, Stream, of_problem
from gateway.rest.problems import overloaded
from gateway.rest.requests import Request

SMALL_BODY: Final = 64 << 10
"""Bytes of a refused body that are taken off the connection, where they are there already, so that it can go on."""

Endpoint = Callable[[Request], Awaitable[Answer | Stream]]


class Admission:
    """Counts requests from their first moment until their answer is known; streams are bounded by who serves them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._refused = counter("gateway", "http_requests_refused", "Requests refused because too many were inside")
        gauge("gateway", "http_requests_inside", "Requests whose answer is not known yet").set_function(
            lambda: self._inside
        )

    def guard(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for as many as there is room."""

        async def admitted(request: Request) -> Answer | Stream:
            if self._inside >= self._most:
                self._refused.inc()
                await request.take_what_is_here(SMALL_BODY)
                # Counted, not logged: a line for each would be most of the work.
                return of_problem(overloaded("More requests are inside than will be answered in time."), request)
            self._inside += 1
            try:
                return await endpoint(request)
            finally:
                self._inside -= 1

        return admitted
