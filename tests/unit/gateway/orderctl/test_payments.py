"""`orderctl payments`: what is asked of the payment service, and how the answer looks."""

from protos.payments.v1 import payments_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import FakeServices

_PAYMENT = "0190b6b2-0000-7000-8000-000000000001"


def test_a_settle_carries_outcome_evidence_and_reference(services: FakeServices, orderctl: Orderctl) -> None:
    result = orderctl(
        "payments", "settle", _PAYMENT, "--outcome", "not-captured", "--evidence", "a letter", "--reference", "r-1"
    )

    assert result.exit_code == 0
    assert services.payments.asked == [
        pb.SettlePaymentRequest(
            payment_id=_PAYMENT,
            outcome=pb.SETTLEMENT_OUTCOME_NOT_CAPTURED,
            evidence="a letter",
            provider_reference="r-1",
        )
    ]
    assert _PAYMENT in result.output


def test_a_settle_without_evidence_or_with_another_outcome_is_a_wrong_call(
    services: FakeServices, orderctl: Orderctl
) -> None:
    without = orderctl("payments", "settle", _PAYMENT, "--outcome", "captured")
    other = orderctl("payments", "settle", _PAYMENT, "--outcome", "unspecified", "--evidence", "a letter")

    assert (without.exit_code, other.exit_code) == (2, 2)
    assert services.payments.asked == []


def test_payments_and_differences_are_listed(services: FakeServices, orderctl: Orderctl) -> None:
    assert "payment-1" in orderctl("payments", "list", "order-1").output
    assert "the provider holds nothing" in orderctl("payments", "differences").output
