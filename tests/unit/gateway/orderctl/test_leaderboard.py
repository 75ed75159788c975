"""Leaderboards, how things stand, and the rebuild from the command line."""

import json

from protos.orders.v1 import reports_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import NOT_FOUND, FakeServices


def test_customers_and_products_are_listed_by_rank(services: FakeServices, orderctl: Orderctl) -> None:
    assert "27834.61" in orderctl("leaderboard", "customers", "--limit", 5).stdout
    listed = orderctl("leaderboard", "products", "--by", "revenue", "--output", "json")
    assert json.loads(listed.stdout)["data"][0]["units"] == 5139
    asked = services.orders.asked
    assert asked == [pb.ListCustomerRanksRequest(limit=5), pb.ListProductRanksRequest(by="revenue", limit=10)]


def test_a_customers_rank_is_shown_or_that_there_is_none(services: FakeServices, orderctl: Orderctl) -> None:
    assert "19950.66" in orderctl("leaderboard", "rank", "15061").stdout
    services.orders.refusal = NOT_FOUND
    assert orderctl("leaderboard", "rank", "nobody").exit_code == 1


def test_more_places_than_there_may_be_are_a_wrong_call(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("leaderboard", "customers", "--limit", 101).exit_code == 2
    assert services.orders.asked == []


def test_how_things_stand_is_shown_by_status_and_by_minute(services: FakeServices, orderctl: Orderctl) -> None:
    table = orderctl("kpis", "realtime").stdout
    assert "AWAITING_RESTOCK" in table
    assert "31" in table
    document = json.loads(orderctl("kpis", "realtime", "--output", "json").stdout)["data"]
    assert document["minutes"][0]["completed"] == 29


def test_a_rebuild_is_waited_for(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("rebuild").exit_code == 0
    assert [type(asked) for asked in services.orders.asked] == [pb.RebuildReportsRequest, pb.GetRebuildRequest]


def test_a_rebuild_may_be_left_to_itself(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("rebuild", "--no-wait").exit_code == 0
    assert [type(asked) for asked in services.orders.asked] == [pb.RebuildReportsRequest]


def test_a_rebuild_that_is_not_done_in_time_is_told_to_be_unfinished(
    services: FakeServices, orderctl: Orderctl
) -> None:
    services.orders.rebuild_goes_on = True
    assert orderctl("rebuild", "--seconds", 1).exit_code == 1
