"""One gRPC channel to each context, that finds a restarted service again within a second."""

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis import tls
from chassis.limits.limits import VOUCHER
from gateway.rest.problems import unexplained
from gateway.rest.requests import Request

Metadata = tuple[tuple[str, str], ...]

_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 2),
    # A batch of answers may hold orders of hundreds of lines each.
    ("grpc.max_receive_message_length", 64 << 20),
]


class Channels:
    """Made inside of the running loop; closed with it."""

    def __init__(self, addresses: Mapping[str, str], credentials: grpc.ChannelCredentials | None = None) -> None:
        self._channels = {name: tls.aio_channel(address, credentials, _OPTIONS) for name, address in addresses.items()}

    @property
    def contexts(self) -> tuple[str, ...]:
        """The words of the contexts that can be asked."""
        return tuple(self._channels)

    def of(self, context: str) -> grpc.aio.Channel:
        """The channel to one context."""
        return self._channels[context]

    def unary(self, context: str, rpc: str, method: Any) -> Any:
        """Calls `method`, which answers once."""
        return self.of(context).unary_unary(rpc, **codecs_of(method))

    def stream(self, context: str, rpc: str, method: Any) -> Any:
        """Calls `method`, which answers with a stream."""
        return self.of(context).unary_stream(rpc, **codecs_of(method))

    async def close(self) -> None:
        """Closes all of them; calls under way are cancelled."""
        for channel in self._channels.values():
            await channel.close()


def codecs_of(method: Any) -> dict[str, Any]:
    """How a method's messages become bytes and back."""
    return {
        "request_serializer": class_of(method.input_type).SerializeToString,
        "response_deserializer": class_of(method.output_type).FromString,
    }


def class_of(message: Any) -> type[Message]:
    """The generated class of a descriptor."""
    made: type[Message] = GetMessageClass(message)
    return made


def metadata_of(request: Request) -> Metadata:
    """What travels beside the message: the caller's trace, and its token as it came."""
    trace: Metadata = (("traceparent", request.traceparent),)
    if request.voucher:
        trace = (*trace, (VOUCHER, request.voucher))
    if not (authorization := request.header(b"authorization")):
        return trace
    if not (authorization.isascii() and authorization.isprintable()):
        # Metadata cannot carry it, and no token looks like that.
        raise unexplained(401)
    return (*trace, ("authorization", authorization))
