"""What happened to an order, as each kind of client reads it; written once, however many watch."""

from functools import cached_property
from typing import Any

from gateway.rest.encoding import MessageWriter, dump
from protos.orders.v1 import orders_pb2 as pb


class Happening:
    """An event of an order. Its `id` is empty where nobody can go on behind it."""

    def __init__(self, event: pb.OrderEvent, write: MessageWriter) -> None:
        self._data = write(event)
        self.id: str = self._data.pop("id")
        self._name: str = self._data.pop("type")

    @cached_property
    def lines(self) -> bytes:
        """As a Server-Sent Event."""
        return b"%bevent: %b\ndata: %b\n\n" % (id_line(self.id), self._name.encode(), dump(self._data))

    def message(self, channel: str) -> str:
        """As a message of a channel."""
        return message_of(channel, self._name, self.id, self._data)


def id_line(id_: str) -> bytes:
    """What makes a reader of Server-Sent Events go on from here when it comes back; nothing where it cannot."""
    return b"id: %b\n" % id_.encode() if id_ else b""


def message_of(channel: str, event: str, id_: str, data: dict[str, Any] | None = None) -> str:
    """A message over WebSocket."""
    return dump({"channel": channel, "event": event, "id": id_ or None, "data": data}).decode()
