"""The provider's books beside ours: money that only one of them knows is seen, money on its way is not."""

import pytest

from payment_service.domain import Difference, OurEntry, Status, TheirEntry, differences


def ours(status: Status = Status.CAPTURED, captured: int = 510, refunded: int = 0, *, giving: bool = False) -> OurEntry:
    return OurEntry("p-1", "order-1", status, captured, refunded, "GBP", giving)


def theirs(captured: int = 510, returned: int = 0, currency: str = "GBP") -> TheirEntry:
    return TheirEntry("p-1", captured, returned, currency)


def found(their: TheirEntry | None, our: OurEntry | None) -> list[Difference]:
    return differences([their] if their else [], {"p-1": our} if our else {})


@pytest.mark.parametrize(
    ("their", "our"),
    [
        (theirs(), ours()),
        (theirs(0), ours(Status.DECLINED, 0)),
        (None, ours(Status.CLOSED, 0)),
        (None, ours(Status.UNAVAILABLE, 0)),
        (theirs(510, 510), ours(Status.VOIDED, 0)),
        (None, ours(Status.VOIDED, 0)),
        (theirs(510, 210), ours(Status.PARTIALLY_REFUNDED, 510, 210)),
        (theirs(510, 510), ours(Status.REFUNDED, 510, 510)),
    ],
)
def test_books_that_say_the_same_do_not_differ(their: TheirEntry | None, our: OurEntry) -> None:
    assert found(their, our) == []


@pytest.mark.parametrize(
    ("their", "our"),
    [
        (theirs(), ours(Status.DECLINED, 0)),
        (theirs(), ours(Status.VOIDED, 0)),
        (theirs(511), ours()),
        (theirs(currency="EUR"), ours()),
        (theirs(510, 510), ours()),
        (theirs(510, 0), ours(Status.PARTIALLY_REFUNDED, 510, 210)),
        (None, ours()),
        (theirs(), None),
    ],
)
def test_money_that_only_one_of_them_knows_is_a_difference(their: TheirEntry | None, our: OurEntry | None) -> None:
    [difference] = found(their, our)

    assert difference.payment_id == "p-1"
    assert difference.order_id == ("order-1" if our else "")


@pytest.mark.parametrize("status", [Status.INTENT, Status.SENDING, Status.UNKNOWN])
def test_what_nobody_claims_to_know_is_no_difference(status: Status) -> None:
    assert found(theirs(), ours(status, 0)) == []
    assert found(None, ours(status, 0)) == []


def test_money_that_is_being_given_back_is_no_difference() -> None:
    assert found(theirs(510, 510), ours(giving=True)) == []


def test_a_difference_says_what_each_of_the_books_holds() -> None:
    [difference] = found(theirs(511), ours())

    assert difference.detail == "the provider holds 5.11 GBP, our ledger says 5.10 GBP"
