"""What an operator does from the command line: give messages up, ask again for stuck orders, read who did what."""

from protos.operations.v1 import operations_pb2
from protos.orders.v1 import stuck_pb2
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import FakeServices


def test_dead_letters_are_discarded_with_a_reason_and_only_those_that_are_named(
    services: FakeServices, orderctl: Orderctl
) -> None:
    all_of_them = orderctl("dead-letters", "discard", "--service", "orders", "--reason", "noise")
    assert (all_of_them.exit_code, services.operations.asked) == (2, [])
    assert orderctl("dead-letters", "discard", "--service", "orders", "--type", "Noise").exit_code == 2
    discarded = orderctl("dead-letters", "discard", "--service", "orders", "--type", "Noise", "--reason", "noise")
    assert "1 found, 1 discarded" in discarded.stdout
    assert "discard_dead_letters" in orderctl("audit", "--actor", "operator:boss").stdout
    assert services.operations.asked[-1] == operations_pb2.ListAuditEntriesRequest(actor="operator:boss")


def test_stuck_orders_are_listed_with_the_reason_and_resumed_by_hand(
    services: FakeServices, orderctl: Orderctl
) -> None:
    assert "Inventory is silent." in orderctl("stuck", "list").stdout
    resumed = orderctl("stuck", "resume", "order-1")
    assert (resumed.exit_code, "PENDING" in resumed.stdout) == (0, True)
    assert services.operations.asked[-1] == stuck_pb2.ResumeOrderRequest(order_id="order-1")
