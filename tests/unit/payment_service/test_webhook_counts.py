"""Whatever comes in at the provider's door is counted by what became of it."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.errors import Refusal, ValidationFailed
from chassis.webhooks import BadSignature
from payment_service.domain import Captured, Noticed
from payment_service.ports import Notice
from payment_service.queries import PaymentNotFound
from payment_service.servicer import PaymentServicer
from protos.payments.v1.payments_pb2 import ReceiveProviderWebhookRequest


class Door:
    """The provider's callbacks and the desk behind them, with one fate for all that comes."""

    def __init__(self, fate: Refusal | Noticed | None) -> None:
        self._fate = fate

    def open(self, timestamp: str, signature: str, body: bytes) -> Notice | None:
        if isinstance(self._fate, (BadSignature, ValidationFailed)):
            raise self._fate
        return Notice("key", Captured("ref", 1, "GBP")) if self._fate else None

    async def notice(self, notice: Notice) -> Noticed:
        if isinstance(self._fate, Refusal):
            raise self._fate
        assert self._fate is not None
        return self._fate


class Call:
    def set_trailing_metadata(self, metadata: Any) -> None:
        pass

    def trailing_metadata(self) -> tuple[()]:
        return ()


def _counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("payments_webhooks_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize(
    ("fate", "outcome"),
    [
        (BadSignature("forged"), "bad_signature"),
        (ValidationFailed("no JSON"), "malformed"),
        (PaymentNotFound("whose?"), "unknown_reference"),
        (Noticed.APPLIED, "applied"),
        (Noticed.KNOWN, "known"),
        (Noticed.DISPUTED, "disputed"),
        (None, "ignored"),
    ],
)
def test_a_webhook_is_counted_under_the_name_that_suppliers_use_as_well(
    fate: Refusal | Noticed | None, outcome: str
) -> None:
    door: Any = Door(fate)
    nobody: Any = None
    servicer = PaymentServicer(nobody, door, {"simulated": door})
    before = _counted(outcome)

    receiving = servicer.ReceiveProviderWebhook(ReceiveProviderWebhookRequest(provider="simulated"), Call())
    if isinstance(fate, Refusal):
        with pytest.raises(type(fate)):
            asyncio.run(receiving)
    else:
        asyncio.run(receiving)

    assert _counted(outcome) == before + 1
