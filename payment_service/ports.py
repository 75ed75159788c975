"""What payments needs from the world: a provider that takes money, gives it back, and tells what became of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from payment_service.domain import Captured, Declined, NotFound, Refunded, Refused, TheirEntry, Voided


class ChargeRequest(NamedTuple):
    """Money asked of the provider; `key` makes it the same request however often it is sent."""

    key: str
    order_id: str
    amount_minor: int
    currency: str
    payment_method: str


class RefundRequest(NamedTuple):
    """Money of a charge to be given back; `key` makes it the same request however often it is sent."""

    key: str
    charge_key: str
    order_id: str
    amount_minor: int
    currency: str


class PaymentProvider(Protocol):
    """A payment provider. Every method raises NotSent, ErrorAnswer or TimedOut when nothing is decided."""

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Take the money; the same key again gives the same answer, and takes nothing more."""

    async def look_up(self, key: str) -> Captured | Declined | Voided | NotFound:
        """What became of the charge under a key."""

    async def void(self, key: str) -> Voided | NotFound | Refused:
        """Take back all that was charged under a key; harmless when said twice."""

    async def refund(self, request: RefundRequest) -> Refunded | Refused:
        """Give money of a charge back; the same key again gives the same answer, and nothing more."""

    async def look_up_refund(self, key: str) -> Refunded | NotFound:
        """What became of the refund under a key."""


class Notice(NamedTuple):
    """What a provider says unasked of the charge under a key."""

    key: str
    said: Captured | Declined | Voided


class ProviderCallbacks(Protocol):
    """What a provider sends of itself, as it comes."""

    def open(self, timestamp: str, signature: str, body: bytes) -> Notice | None:
        """What it says; None: nothing that is of use. Raises BadSignature, ValidationFailed."""


class ProviderJournal(Protocol):
    """The provider's own books, for comparing."""

    def entries(self, after: str, until: str, limit: int) -> Sequence[TheirEntry]:
        """The first entries with keys above `after`, up to `until`, in the order of their keys."""

    def entries_of(self, keys: Sequence[str]) -> Sequence[TheirEntry]:
        """The entries under these keys."""
