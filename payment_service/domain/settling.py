"""What ends a payment from outside: an operator's word, or the provider's unasked."""

from enum import StrEnum
from typing import ClassVar, Final

from chassis.errors import Refusal
from payment_service.domain.answers import Declined


class Settlement(StrEnum):
    """What an operator has found out at the provider."""

    CAPTURED = "CAPTURED"
    NOT_CAPTURED = "NOT_CAPTURED"
    GIVEN_BACK = "GIVEN_BACK"
    NOT_GIVEN_BACK = "NOT_GIVEN_BACK"


SETTLED: Final = Declined("not_captured", "The payment provider has not taken the money.")
"""What a payment shows that an operator has settled as not captured; the evidence is nobody's business but ours."""


class PaymentNotSettleable(Refusal):
    """The payment waits for no operator, or not for this word of his."""

    code: ClassVar[str] = "payment_not_settleable"
    status: ClassVar[str] = "FAILED_PRECONDITION"


class Noticed(StrEnum):
    """What became of what the provider said unasked."""

    APPLIED = "applied"
    KNOWN = "known"
    DISPUTED = "disputed"
