"""The provider's books beside ours: what does not agree, payment by payment."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from chassis.money import format_amount
from payment_service.domain.status import UNDECIDED, Status


class TheirEntry(NamedTuple):
    """What the provider's books say of one key: taken, and given back, in minor units."""

    key: str
    captured_minor: int
    returned_minor: int
    currency: str


class OurEntry(NamedTuple):
    """What our ledger says of one payment.

    `is_giving_back`: its money is on its way back, or went back by hand, past the provider's books.
    """

    payment_id: str
    order_id: str
    status: Status
    captured_minor: int
    refunded_minor: int
    currency: str
    is_giving_back: bool

    @property
    def is_open(self) -> bool:
        """Nobody claims to know how much money the provider holds."""
        return self.status in UNDECIDED or self.is_giving_back


class Difference(NamedTuple):
    """Money that the two books do not agree about; `order_id` empty: we know no such payment."""

    payment_id: str
    order_id: str
    detail: str


_NOTHING: Final = "nothing"


def differences(theirs: Iterable[TheirEntry], ours: Mapping[str, OurEntry]) -> list[Difference]:
    """What differs between the provider's entries and our payments of the same keys, in the order of the keys."""
    by_key = {entry.key: entry for entry in theirs}
    found = []
    for key in sorted(by_key.keys() | ours.keys()):
        our, their = ours.get(key), by_key.get(key)
        if our is not None and our.is_open:
            continue
        in_ours, in_theirs = _our_sum(our), _their_sum(their)
        if in_ours != in_theirs:
            detail = f"the provider holds {in_theirs}, our ledger says {in_ours}"
            found.append(Difference(key, our.order_id if our else "", detail))
    return found


def _our_sum(entry: OurEntry | None) -> str:
    return _sum(entry.captured_minor - entry.refunded_minor, entry.currency) if entry else _NOTHING


def _their_sum(entry: TheirEntry | None) -> str:
    return _sum(entry.captured_minor - entry.returned_minor, entry.currency) if entry else _NOTHING


def _sum(minor: int, currency: str) -> str:
    return f"{format_amount(minor, currency)} {currency}" if minor else _NOTHING
