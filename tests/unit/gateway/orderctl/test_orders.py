"""Orders, products, figures and dead letters from the command line."""

import json

import click
import pytest

from gateway.orderctl import main
from protos.inventory.v1 import inventory_pb2 as inventory
from protos.orders.v1 import orders_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import NOT_FOUND, VALIDATION, FakeServices


def test_an_order_is_shown_as_a_table_or_as_the_json_of_rest(services: FakeServices, orderctl: Orderctl) -> None:
    table = orderctl("get", "order-1")
    assert table.exit_code == 0
    assert "customer id" in table.stdout
    assert "COMPLETED" in table.stdout
    document = json.loads(orderctl("get", "order-1", "--output", "json").stdout)
    assert document["data"]["status"] == "COMPLETED"
    assert document["data"]["completed_at"] is None


def test_the_form_may_be_asked_for_before_the_verb(services: FakeServices, orderctl: Orderctl) -> None:
    assert json.loads(orderctl("--output", "json", "get", "order-1").stdout)["data"]["id"] == "order-1"


def test_a_list_goes_from_page_to_page_up_to_its_limit(services: FakeServices, orderctl: Orderctl) -> None:
    listed = orderctl(
        "list", "--customer", "c-1", "--status", "completed", "--sku", "A", "--limit", 2, "--output", "json"
    )
    assert [order["id"] for order in json.loads(listed.stdout)["data"]] == ["order-0", "order-1"]
    asked = services.orders.asked[0]
    assert isinstance(asked, pb.ListOrdersRequest)
    assert (asked.customer_id, asked.sku, asked.status) == ("c-1", "A", pb.ORDER_STATUS_COMPLETED)


def test_times_are_utc_where_they_name_no_zone(services: FakeServices, orderctl: Orderctl) -> None:
    orderctl("list", "--placed-after", "2010-12-01", "--placed-before", "2010-12-02T01:00:00+01:00")
    asked = services.orders.asked[0]
    assert isinstance(asked, pb.ListOrdersRequest)
    assert asked.placed_after.ToJsonString() == "2010-12-01T00:00:00Z"
    assert asked.placed_before.ToJsonString() == "2010-12-02T00:00:00Z"


def test_an_order_is_placed_as_it_was_called(services: FakeServices, orderctl: Orderctl) -> None:
    placed = orderctl(
        "place", "--customer", "c-1", "--item", "A=2", "--item", "B", "--item", "C=D=3", "--key", "k", "--wait", "0.5",
        "--policy", "BACKORDER",
    )  # fmt: skip
    assert placed.exit_code == 0, placed.output
    asked = services.orders.asked[0]
    assert isinstance(asked, pb.CreateOrderRequest)
    assert [(item.sku, item.quantity) for item in asked.items] == [("A", 2), ("B", 1), ("C=D", 3)]
    assert (asked.idempotency_key, asked.wait_ms) == ("k", 500)
    assert asked.stock_policy == pb.STOCK_POLICY_BACKORDER
    assert not asked.HasField("expected_total")


def test_every_order_without_a_key_gets_one_of_its_own(services: FakeServices, orderctl: Orderctl) -> None:
    for _ in range(2):
        orderctl("place", "--customer", "c-1", "--item", "A")
    first, second = services.orders.asked
    assert isinstance(first, pb.CreateOrderRequest)
    assert isinstance(second, pb.CreateOrderRequest)
    assert first.idempotency_key != second.idempotency_key


def test_cancel_and_timeline(services: FakeServices, orderctl: Orderctl) -> None:
    assert "CANCELLED" in orderctl("cancel", "order-1", "--reason", "changed my mind").stdout
    assert "Placed." in orderctl("timeline", "order-1").stdout


def test_a_refund_is_asked_for_as_it_was_called(services: FakeServices, orderctl: Orderctl) -> None:
    asked_for = orderctl("refund", "order-1", "--amount", "2.50", "--item", "A=2", "--restock", "--key", "r1")
    assert "PENDING" in asked_for.stdout
    asked = services.orders.asked[0]
    assert isinstance(asked, pb.RefundOrderRequest)
    assert (asked.order_id, asked.amount, asked.restock, asked.idempotency_key) == ("order-1", "2.50", True, "r1")
    assert [(item.sku, item.quantity) for item in asked.items] == [("A", 2)]


def test_a_refund_without_an_amount_is_of_all_that_is_left(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("refund", "order-1").exit_code == 0
    asked = services.orders.asked[0]
    assert isinstance(asked, pb.RefundOrderRequest)
    assert not asked.HasField("amount")
    assert asked.idempotency_key


def test_figures_of_a_day_and_of_several(services: FakeServices, orderctl: Orderctl) -> None:
    assert "46376.49" in orderctl("kpis", "daily", "--date", "2010-12-01").stdout
    assert "572713.89" in orderctl("kpis", "range", "--from", "2010-12-01", "--to", "2010-12-31").stdout


def test_products_are_put_received_and_listed(services: FakeServices, orderctl: Orderctl) -> None:
    assert orderctl("products", "put", "A", "--name", "a", "--price", "2.55").exit_code == 0
    assert services.inventory.products["A"].supply == inventory.SUPPLY_STOCK
    assert services.inventory.products["A"].active
    assert "7" in orderctl("products", "receive", "A", "7", "--key", "k").stdout
    assert services.inventory.receipts == {("A", "k"): 7}
    assert "2.55" in orderctl("products", "list").stdout


def test_dead_letters_are_asked_of_every_service_and_replayed_at_one(
    services: FakeServices, orderctl: Orderctl
) -> None:
    listed = json.loads(orderctl("dead-letters", "list", "--output", "json").stdout)
    assert len(listed["data"]) == 4
    replayed = orderctl("dead-letters", "replay", "--service", "orders", "--id", "letter-1")
    assert "1 found, 1 applied, 0 still parked" in replayed.stdout


def test_a_silent_service_is_named_and_the_others_are_shown(
    services: FakeServices, orderctl: Orderctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_ADDRESS", "127.0.0.1:1")
    listed = orderctl("dead-letters", "list", "--output", "json")
    assert listed.exit_code == 1
    assert json.loads(listed.stdout)["meta"] == {"unreachable": ["payments"]}
    assert "the payments service at 127.0.0.1:1 cannot be reached" in listed.stderr


def test_a_refusal_is_a_sentence_and_exit_code_1(services: FakeServices, orderctl: Orderctl) -> None:
    services.orders.refusal = NOT_FOUND
    refused = orderctl("get", "order-1")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "Error: there is no such order\n"


def test_a_call_that_makes_no_sense_is_exit_code_2(services: FakeServices, orderctl: Orderctl) -> None:
    services.orders.refusal = VALIDATION
    assert orderctl("get", "order-1").exit_code == 2
    assert orderctl("place", "--customer", "c-1").exit_code == 2
    assert orderctl("place", "--customer", "c-1", "--item", "A=many").exit_code == 2
    assert orderctl("list", "--placed-after", "yesterday").exit_code == 2
    assert orderctl("no-such-verb").exit_code == 2


def test_a_service_that_is_not_there_is_named(orderctl: Orderctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ADDRESS", "127.0.0.1:1")
    refused = orderctl("get", "order-1")
    assert refused.exit_code == 1
    assert (
        refused.stderr == "Error: the orders service at 127.0.0.1:1 cannot be reached; is it running? (make status)\n"
    )


def test_token_and_trace_travel_with_every_call(
    services: FakeServices, orderctl: Orderctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "secret")
    orderctl("get", "order-1")
    assert services.orders.metadata["authorization"] == "Bearer secret"
    assert len(services.orders.metadata["traceparent"]) == 55


def every_verb(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    return [path] + [found for name, verb in command.commands.items() for found in every_verb(verb, (*path, name))]


@pytest.mark.parametrize("path", every_verb(main), ids=" ".join)
def test_every_verb_explains_itself(path: tuple[str, ...], orderctl: Orderctl) -> None:
    shown = orderctl(*path, "--help")
    assert shown.exit_code == 0
    assert "Usage:" in shown.stdout
    assert len(shown.stdout.split("\n\n")[1].strip()) > 10
