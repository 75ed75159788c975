"""Watching from the command line."""

import json

from protos.orders.v1 import orders_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import FakeServices


def test_an_order_is_watched_from_its_beginning_until_it_has_ended(services: FakeServices, orderctl: Orderctl) -> None:
    watched = orderctl("watch", "order-1", "--output", "json")

    assert watched.exit_code == 0
    assert [json.loads(line)["status"] for line in watched.stdout.splitlines()] == ["RESERVED", "COMPLETED"]
    assert services.orders.asked == [pb.WatchOrdersRequest(order_id="order-1", last_event_id="0")]


def test_for_people_each_event_is_a_line(services: FakeServices, orderctl: Orderctl) -> None:
    lines = orderctl("watch", "order-1", "--after", "17").stdout.splitlines()

    assert len(lines) == 2
    assert "OrderSomething" in lines[0]
    assert services.orders.asked == [pb.WatchOrdersRequest(order_id="order-1", last_event_id="17")]


def test_either_an_order_or_a_customer_is_watched(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("watch").exit_code == 2
    assert orderctl("watch", "order-1", "--customer", "c-1").exit_code == 2
