"""The gRPC server of a service: its servicers, health, reflection and channelz on one port."""

from collections.abc import Callable
from typing import Any, Final

import grpc
from grpc_channelz.v1.channelz import add_channelz_servicer
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from chassis.access.door import Door
from chassis.health import Health
from chassis.interceptor import Context, Interceptor
from chassis.telemetry.spans import Spans

_INFRASTRUCTURE: Final = (
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
    "grpc.channelz.v1.Channelz",
)
_OPTIONS: Final = (
    ("grpc.enable_channelz", 1),
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", 32 * 1024 * 1024),
    # A token that is far too large is to be answered like any other bad one, not by breaking the call off.
    ("grpc.max_metadata_size", 96 * 1024),
    ("grpc.absolute_max_metadata_size", 96 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

AddToServer = Callable[[Any, Any], None]
"""The generated `add_…Servicer_to_server`."""


def mark_accepted(context: Context) -> None:
    """What was asked is stored, not decided: 202 over REST."""
    _mark(context, "outcome", "accepted")


def mark_replayed(context: Context) -> None:
    """The answer is that of an earlier call with the same key: 200 and `Idempotent-Replayed: true` over REST."""
    _mark(context, "idempotent-replayed", "true")


def _mark(context: Context, name: str, value: str) -> None:
    context.set_trailing_metadata((*(context.trailing_metadata() or ()), (name, value)))


class Server:
    """A grpc.aio server with the interceptor around every method of ours."""

    def __init__(
        self,
        context: str,
        address: str,
        health: Health,
        max_in_flight: int,
        door: Door | None = None,
        credentials: grpc.ServerCredentials | None = None,
        *,
        shares_port: bool = False,
        spans: Spans | None = None,
        connection_seconds: float = 0.0,
        connection_grace_seconds: float = 0.0,
    ) -> None:
        """Without a door everybody may enter; without credentials in plain text.

        A port that is taken is told, not shared, unless both who listen there share it. Callers keep a connection for
        `connection_seconds`, give or take a tenth, and may then end on it what is under way; 0: for good, without end.
        """
        self.address = address
        self.port = 0
        self._health = health
        self._credentials = credentials
        self._edge = Interceptor(context, max_in_flight, door or Door(), spans)
        ages = (
            ("max_connection_age_ms", connection_seconds),
            ("max_connection_age_grace_ms", connection_grace_seconds),
        )
        aged = [(f"grpc.{name}", round(seconds * 1_000)) for name, seconds in ages if seconds]
        options = (*_OPTIONS, ("grpc.so_reuseport", int(shares_port)), *aged)
        self._grpc = grpc.aio.server(interceptors=(self._edge,), options=options)
        self._services: list[str] = []

    def add(self, add_to_server: AddToServer, servicer: object) -> None:
        """Serve what this servicer offers."""
        add_to_server(servicer, self)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Called by generated code."""
        self._services.extend(handler.service_name() for handler in handlers)
        self._grpc.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, _service: str, _handlers: Any) -> None:
        """Called by generated code; the generic handlers say the same, and pass the interceptor."""

    async def start(self) -> None:
        """Listen. Raises RuntimeError when the port is taken."""
        self._health.add_to(self._grpc, self._services)
        add_channelz_servicer(self._grpc)
        reflection.enable_server_reflection((*self._services, *_INFRASTRUCTURE), self._grpc)
        self.port = self._bound()
        await self._grpc.start()

    def _bound(self) -> int:
        if self._credentials is None:
            return self._grpc.add_insecure_port(self.address)
        return self._grpc.add_secure_port(self.address, self._credentials)

    async def stop(self, drain_seconds: float) -> None:
        """Accept nothing more, wait for calls under way, end what is left then."""
        self._health.stopping()
        await self._grpc.stop(drain_seconds)
