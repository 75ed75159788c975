"""A watch that survives its connection: when that breaks it goes on behind the last event, without a gap."""

from collections.abc import Callable, Iterator, Mapping
from time import sleep
from typing import Final

from gateway.client.errors import CallFailed
from gateway.client.service import Service
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1.orders_pb2_grpc import OrderServiceStub

ALL: Final = "0"
"""Behind this everything is told that is still served; of what is older, how it stands."""
_RESUMABLE: Final = frozenset({"unavailable", "cancelled", "watcher_too_slow"})
_AGAIN_SECONDS: Final = 0.5


def watch(
    orders: Service[OrderServiceStub], request: pb.WatchOrdersRequest, pause: Callable[[float], None] = sleep
) -> Iterator[pb.OrderEvent]:
    """What happens, without an end. Raises CallFailed when the watch cannot begin, never because it broke off."""
    asked = pb.WatchOrdersRequest()
    asked.CopyFrom(request)
    has_begun = False

    def begun(metadata: Mapping[str, str]) -> None:
        nonlocal has_begun
        if position := metadata.get("position"):
            has_begun = True
            # So that nothing is missed by a watch that breaks before its first event.
            asked.last_event_id = asked.last_event_id or position

    while True:
        try:
            for event in orders.follow(orders.rpc.WatchOrders, asked, begun):
                asked.last_event_id = event.id or asked.last_event_id
                yield event
        except CallFailed as failed:
            if failed.code not in _RESUMABLE or not has_begun:
                raise
        pause(_AGAIN_SECONDS)
