"""A watch goes on behind the last event when its connection breaks."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import pytest

from gateway.client.errors import CallFailed
from gateway.client.watching import watch
from protos.orders.v1 import orders_pb2 as pb


class Breaking:
    """An order service whose streams end as a test says."""

    rpc: Any = None

    def __init__(self, *streams: tuple[list[str], str]) -> None:
        self._streams = list(streams)
        self.asked: list[str] = []
        self.position = {"position": "7"}

    def follow(
        self, method: Any, request: pb.WatchOrdersRequest, begun: Callable[[Mapping[str, str]], None]
    ) -> Iterator[pb.OrderEvent]:
        self.asked.append(request.last_event_id)
        ids, code = self._streams.pop(0)
        begun(self.position)
        for id_ in ids:
            yield pb.OrderEvent(id=id_)
        raise CallFailed(code, "ANY", "It is over.")


def watched(orders: Any, events: int) -> list[str]:
    orders.rpc = type("Rpc", (), {"WatchOrders": None})
    request = pb.WatchOrdersRequest(customer_id="c-17")
    return [event.id for event in islice(watch(orders, request, pause=lambda _: None), events)]


def test_it_goes_on_behind_the_last_event() -> None:
    orders = Breaking((["8", "9"], "unavailable"), ([], "watcher_too_slow"), (["10"], "unavailable"))

    assert watched(orders, 3) == ["8", "9", "10"]
    assert orders.asked == ["", "9", "9"]


def test_it_goes_on_from_its_beginning_when_nothing_had_happened() -> None:
    orders = Breaking(([], "unavailable"), (["8"], "unavailable"))

    assert watched(orders, 1) == ["8"]
    assert orders.asked == ["", "7"]


def test_events_that_nobody_can_go_on_behind_are_told_again() -> None:
    orders = Breaking((["8", ""], "unavailable"), (["9"], "unavailable"))

    assert watched(orders, 3) == ["8", "", "9"]
    assert orders.asked == ["", "8"]


def test_one_that_never_began_says_why() -> None:
    orders = Breaking(([], "unavailable"))
    orders.position = {}
    with pytest.raises(CallFailed):
        watched(orders, 1)


def test_a_refusal_ends_it() -> None:
    with pytest.raises(CallFailed):
        watched(Breaking(([], "not_found")), 1)
