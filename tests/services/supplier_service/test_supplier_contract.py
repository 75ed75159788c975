"""What every supplier behind the port keeps to, in this process or over HTTP."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from chassis import ids
from chassis.database import Database
from chassis.outside import Limits
from supplier_service.adapters.http import HttpSupplier
from supplier_service.adapters.simulated import SimulatedSupplier
from supplier_service.domain import (
    Accepted,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    Rejected,
    SupplierTrouble,
    TooLate,
    Underway,
)
from supplier_service.ports import Named, ReserveRequest, Supplier
from supplier_service.simulator.journal import SCHEMA, Journal
from supplier_service.simulator.scenarios import CALM
from tests.services.supplier_service.served import served_suppliers

A = TypeVar("A")


class Buyer:
    """Asks a supplier, from code that does not wait."""

    def __init__(self, supplier: Supplier, runner: asyncio.Runner) -> None:
        self._supplier = supplier
        self._runner = runner

    def reserve(self, key: str, scenario: str = "ok", supplier: str = "acme") -> Accepted | Rejected:
        return self._await(self._supplier.reserve(ReserveRequest(key, supplier, "85123A", 3, scenario)))

    def check(self, key: str, reference: str = "", supplier: str = "acme") -> Any:
        return self._await(self._supplier.check(Named(key, supplier, reference)))

    def cancel(self, key: str, reference: str = "", supplier: str = "acme") -> Cancelled | TooLate:
        return self._await(self._supplier.cancel(Named(key, supplier, reference)))

    def _await(self, answer: Coroutine[Any, Any, A]) -> A:
        return self._runner.run(answer)


@pytest.fixture
def books(urls: dict[str, str]) -> Iterator[Database]:
    database = Database(urls[SCHEMA], schema=SCHEMA, application_name="contract-tests", pool_size=2)
    yield database
    database.close()


@pytest.fixture(params=["in this process", "over HTTP"])
def buyer(request: pytest.FixtureRequest, urls: dict[str, str], books: Database) -> Iterator[Buyer]:
    with asyncio.Runner() as runner:
        if request.param == "in this process":
            yield Buyer(SimulatedSupplier(Journal(books, CALM)), runner)
            return
        with served_suppliers(urls[SCHEMA]) as served:
            supplier = HttpSupplier(served.url, Limits(timeout=5))
            yield Buyer(supplier, runner)
            runner.run(supplier.close())


def test_what_is_taken_on_has_the_suppliers_own_reference_and_is_delivered(buyer: Buyer) -> None:
    key = ids.new_id()

    accepted = buyer.reserve(key)

    assert isinstance(accepted, Accepted)
    assert accepted.reference not in ("", key)
    assert buyer.check(key, accepted.reference) == Delivered()


def test_the_same_key_again_is_the_same_request(buyer: Buyer) -> None:
    key = ids.new_id()

    assert len({buyer.reserve(key) for _ in range(3)}) == 1


def test_it_is_known_by_our_key_before_its_own_reference_was_told(buyer: Buyer) -> None:
    key = ids.new_id()
    buyer.reserve(key, "fail")

    answer = buyer.check(key)

    assert isinstance(answer, Failed)
    assert answer.reason


@pytest.mark.parametrize("scenario", ["reject", "nobody does this"])
def test_what_is_not_taken_on_is_rejected_with_a_reason_however_often_it_is_asked_for(
    buyer: Buyer, scenario: str
) -> None:
    key = ids.new_id()

    first, second = buyer.reserve(key, scenario), buyer.reserve(key, scenario)

    assert isinstance(first, Rejected)
    assert first.reason
    assert second == first


def test_an_error_is_no_answer_and_the_same_key_may_be_asked_again(buyer: Buyer) -> None:
    key = ids.new_id()

    for _ in range(2):
        with pytest.raises(SupplierTrouble):
            buyer.reserve(key, "error_then_ok:2")

    assert isinstance(buyer.reserve(key, "error_then_ok:2"), Accepted)


def test_goods_are_late_and_then_delivered(buyer: Buyer) -> None:
    key = ids.new_id()
    buyer.reserve(key, "delayed_then_ok:2")

    assert [buyer.check(key) for _ in range(4)] == [Delayed(), Delayed(), Delivered(), Delivered()]


def test_what_is_not_decided_yet_is_underway(buyer: Buyer) -> None:
    key = ids.new_id()
    buyer.reserve(key, "webhook_ok:60")

    assert buyer.check(key) == Underway()


def test_what_was_never_asked_for_and_what_is_anothers_is_no_answer(buyer: Buyer) -> None:
    key = ids.new_id()
    buyer.reserve(key)

    for name, supplier in ((ids.new_id(), "acme"), (key, "bolt")):
        with pytest.raises(SupplierTrouble):
            buyer.check(name, supplier=supplier)


def test_a_supplier_lets_go_as_often_as_it_is_asked_to_and_then_delivers_nothing(buyer: Buyer) -> None:
    key = ids.new_id()
    accepted = buyer.reserve(key)
    assert isinstance(accepted, Accepted)

    assert [buyer.cancel(key), buyer.cancel(key, accepted.reference)] == [Cancelled()] * 2

    assert isinstance(buyer.check(key), Failed)


def test_a_cancel_that_overtakes_the_request_is_found_by_it(buyer: Buyer) -> None:
    key = ids.new_id()

    assert buyer.cancel(key) == Cancelled()

    assert isinstance(buyer.reserve(key), Rejected)


def test_what_was_delivered_cannot_be_cancelled_any_more(buyer: Buyer) -> None:
    key = ids.new_id()
    buyer.reserve(key)
    buyer.check(key)

    assert buyer.cancel(key) == TooLate()


def test_any_name_a_shop_gives_its_suppliers_and_goods_is_understood(buyer: Buyer) -> None:
    key, supplier = ids.new_id(), "Müller & Söhne / Nord?#%"

    accepted = buyer.reserve(key, supplier=supplier)

    assert isinstance(accepted, Accepted)
    assert buyer.check(key, accepted.reference, supplier) == Delivered()
