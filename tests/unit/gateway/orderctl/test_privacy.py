"""`orderctl forget`: asks whether it is meant, and waits until it is done where that is soon."""

from click.testing import CliRunner

from gateway.orderctl import main
from protos.orders.v1 import privacy_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import FakeServices

_ANNA = pb.ForgetCustomerRequest(customer_id="anna")


def test_a_customer_is_asked_after_until_they_are_forgotten(services: FakeServices, orderctl: Orderctl) -> None:
    result = orderctl("forget", "anna", "--yes")

    assert result.exit_code == 0
    assert services.operations.asked == [_ANNA, _ANNA]
    assert "forgotten-1" in result.output


def test_who_has_orders_that_have_not_ended_is_not_waited_for(services: FakeServices, orderctl: Orderctl) -> None:
    services.operations.unfinished_orders = 2

    assert orderctl("forget", "anna", "--yes").exit_code == 1
    assert orderctl("forget", "anna", "--yes", "--no-wait").exit_code == 0
    assert services.operations.asked == [_ANNA, _ANNA]


def test_without_a_yes_nobody_is_forgotten(services: FakeServices) -> None:
    result = CliRunner().invoke(main, ["forget", "anna"], input="n\n")

    assert result.exit_code == 1
    assert services.operations.asked == []
