"""The simulated provider behind the port: asks its books, answers as slowly, wrongly or never as its plan says."""

import asyncio

from chassis.batcher import Batcher
from chassis.errors import Overloaded, Unavailable
from payment_service.domain import (
    Captured,
    Declined,
    ErrorAnswer,
    NotFound,
    NotSent,
    Refunded,
    Refused,
    TimedOut,
    Voided,
)
from payment_service.ports import ChargeRequest, RefundRequest
from payment_service.simulator.journal import Charge, Journal, LookUp, Request, Told, Void
from payment_service.simulator.refunds import Refund, RefundLookUp


class SimulatedProvider:
    """A provider in this process. What comes in while its books are being written goes into the next entry."""

    def __init__(self, journal: Journal) -> None:
        self._books: Batcher[Request, Told] = Batcher(journal.answer, context="payments", name="simulator")

    def start(self) -> None:
        """Open for business."""
        self._books.start()

    def stop(self) -> None:
        """Answer who has asked, then close."""
        self._books.stop()

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Take the money; the same key again gives the same answer, and takes nothing more."""
        told = await self._ask(Charge(*request))
        if told.plan.answer_after_ms:
            await asyncio.sleep(told.plan.answer_after_ms / 1000)
        if told.plan.is_silent:
            await asyncio.Event().wait()  # nobody ever sets it
        if told.state == "captured":
            return Captured(_reference(request.key), told.amount_minor, told.currency)
        if told.state == "declined":
            return Declined(told.code, told.reason)
        raise ErrorAnswer(told.reason)

    async def look_up(self, key: str) -> Captured | Declined | Voided | NotFound:
        """What became of the charge under a key."""
        told = await self._ask(LookUp(key))
        match told.state:
            case "captured":
                return Captured(_reference(key), told.amount_minor, told.currency)
            case "declined":
                return Declined(told.code, told.reason)
            case "voided":
                return Voided(_reference(key))
        return NotFound()

    async def void(self, key: str) -> Voided | NotFound:
        """Take back all that was charged under a key; harmless when said twice."""
        told = await self._ask(Void(key))
        return Voided(_reference(key)) if told.state == "voided" else NotFound()

    async def refund(self, request: RefundRequest) -> Refunded | Refused:
        """Give money of a charge back; the same key again gives the same answer, and nothing more."""
        told = await self._ask(Refund(request.key, request.charge_key, request.amount_minor, request.currency))
        match told.state:
            case "refunded":
                return Refunded(_reference(request.key), told.amount_minor, told.currency)
            case "refused":
                return Refused(told.reason)
        raise ErrorAnswer(told.reason)

    async def look_up_refund(self, key: str) -> Refunded | NotFound:
        """What became of the refund under a key."""
        told = await self._ask(RefundLookUp(key))
        return Refunded(_reference(key), told.amount_minor, told.currency) if told.state == "refunded" else NotFound()

    async def _ask(self, request: Request) -> Told:
        try:
            return await self._books.submit(request)
        except Overloaded as error:
            raise NotSent("the provider takes no more requests") from error
        except Unavailable as error:
            raise TimedOut("the provider's books could not be reached") from error


def _reference(key: str) -> str:
    return f"sim-{key}"
