"""What suppliers needs from the world: somebody who takes supplier orders on and says how they stand."""

from typing import NamedTuple, Protocol

from supplier_service.domain import Accepted, Cancelled, Delayed, Delivered, Failed, Rejected, TooLate, Underway


class ReserveRequest(NamedTuple):
    """Goods asked of a supplier; `key` is idempotency key and reference in one, `scenario` is for simulated ones."""

    key: str
    supplier: str
    sku: str
    quantity: int
    scenario: str


class Named(NamedTuple):
    """A supplier order by its names: our key, whose it is, and the supplier's own reference, empty until it is told."""

    key: str
    supplier: str
    reference: str = ""


class Supplier(Protocol):
    """A supplier. Every method raises SupplierTrouble when it gives no answer."""

    async def reserve(self, request: ReserveRequest) -> Accepted | Rejected:
        """Ask for the goods; the same key again is the same request."""

    async def check(self, named: Named) -> Delivered | Delayed | Underway | Failed:
        """How a supplier order stands."""

    async def cancel(self, named: Named) -> Cancelled | TooLate:
        """Let it go; harmless when said twice, and before the request has come."""


class Door(Protocol):
    """Where suppliers bring their news: the one door for all of them, and whatever comes in has to prove itself."""

    async def take(self, supplier: str, timestamp: str, signature: str, body: bytes) -> None:
        """Let a signed message in. Raises BadSignature, NotFound, ValidationFailed, or Unavailable."""
