"""One service of one context: calls that carry token and trace, and fail as CallFailed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import grpc

from chassis import tracing
from gateway.client.errors import from_rpc

SECONDS: Final = 10.0
"""How long a call may take unless it says otherwise."""

S = TypeVar("S")
Q = TypeVar("Q")
A = TypeVar("A")


class Service(Generic[S]):
    """Calls through a generated stub: `orders.ask(orders.rpc.GetOrder, GetOrderRequest(…))`."""

    def __init__(self, rpc: S, target: str, token: str) -> None:
        self.rpc = rpc
        self._target = target
        self._token = token

    def ask(self, method: "grpc.UnaryUnaryMultiCallable[Q, A]", request: Q, seconds: float = SECONDS) -> A:
        """One question, one answer. Raises CallFailed."""
        try:
            return method(request, timeout=seconds, metadata=self._metadata())
        except grpc.RpcError as error:
            raise from_rpc(error, self._target) from error

    def pages(self, method: "grpc.UnaryUnaryMultiCallable[Q, A]", request: Q, seconds: float = SECONDS) -> Iterator[A]:
        """The pages of a list, each asked for when the one before was taken. Raises CallFailed."""
        asked: Any = type(request)()
        asked.CopyFrom(request)
        while True:
            page: Any = self.ask(method, asked, seconds)
            yield page
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token

    def read(self, method: "grpc.UnaryStreamMultiCallable[Q, A]", request: Q, seconds: float = SECONDS) -> Iterator[A]:
        """One question, a stream of answers. Raises CallFailed."""
        try:
            yield from method(request, timeout=seconds, metadata=self._metadata())
        except grpc.RpcError as error:
            raise from_rpc(error, self._target) from error

    def follow(
        self, method: "grpc.UnaryStreamMultiCallable[Q, A]", request: Q, begun: Callable[[Mapping[str, str]], None]
    ) -> Iterator[A]:
        """A stream of answers without an end; `begun` hears its first metadata. Raises CallFailed."""
        try:
            call: Any = method(request, metadata=self._metadata())
            begun(dict(call.initial_metadata()))
            yield from call
        except grpc.RpcError as error:
            raise from_rpc(error, self._target) from error

    def send(self, method: "grpc.StreamUnaryMultiCallable[Q, A]", requests: Iterable[Q], seconds: float = SECONDS) -> A:
        """A stream of messages, one answer. Raises CallFailed."""
        try:
            return method(iter(requests), timeout=seconds, metadata=self._metadata())
        except grpc.RpcError as error:
            raise from_rpc(error, self._target) from error

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        trace = ("traceparent", tracing.new_traceparent())
        return (trace, ("authorization", f"Bearer {self._token}")) if self._token else (trace,)
