"""What payments needs from the world: a provider that takes money, and gives it back."""

from typing import NamedTuple, Protocol

from payment_service.domain import Captured, Declined, NotFound, Refused, Voided


class ChargeRequest(NamedTuple):
    """Money asked of the provider; `key` makes it the same request however often it is sent."""

    key: str
    order_id: str
    amount_minor: int
    currency: str
    payment_method: str


class PaymentProvider(Protocol):
    """A payment provider. Every method raises NotSent, ErrorAnswer or TimedOut when nothing is decided."""

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Take the money; the same key again gives the same answer, and takes nothing more."""

    async def look_up(self, key: str) -> Captured | Declined | Voided | NotFound:
        """What became of the charge under a key."""

    async def void(self, key: str) -> Voided | NotFound | Refused:
        """Take back all that was charged under a key; harmless when said twice."""
