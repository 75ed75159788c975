"""The simulated suppliers behind the port: they ask their books, and answer as slowly or wrongly as they planned."""

import asyncio

from chassis.errors import Unavailable
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
from supplier_service.ports import Named, ReserveRequest
from supplier_service.simulator.journal import Asked, Journal, reference_of
from supplier_service.simulator.scenarios import Plan, Reply
from supplier_service.simulator.webhooks import Webhooks


class SimulatedSupplier:
    """All suppliers of the simulated world, in this process."""

    def __init__(self, journal: Journal, webhooks: Webhooks | None = None) -> None:
        self._journal = journal
        self._webhooks = webhooks

    async def reserve(self, request: ReserveRequest) -> Accepted | Rejected:
        """Ask for the goods; the same key again is the same request."""
        try:
            plan = await self._journal.reserve(Asked(*request))
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error
        if plan.webhook_after is not None and self._webhooks is not None:
            self._webhooks.deliver_later(request.supplier, request.key, plan.webhook_after)
        if await _said(plan) is Reply.REJECTED:
            return Rejected("The supplier does not take this order on.")
        return Accepted(reference_of(request.key))

    async def check(self, named: Named) -> Delivered | Delayed | Underway | Failed:
        """How a supplier order stands."""
        try:
            plan = await self._journal.check(named.supplier, named.key)
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error
        match await _said(plan):
            case Reply.DELIVERED:
                return Delivered()
            case Reply.DELAYED:
                return Delayed()
            case Reply.FAILED:
                return Failed("The supplier will not deliver.")
            case Reply.UNKNOWN:
                raise SupplierTrouble("the supplier does not know this supplier order")
        return Underway()

    async def cancel(self, named: Named) -> Cancelled | TooLate:
        """Let it go; harmless when said twice, and before the request has come."""
        try:
            return Cancelled() if await self._journal.cancel(named.supplier, named.key) else TooLate()
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error


async def _said(plan: Plan) -> Reply:
    await asyncio.sleep(plan.after_ms / 1000)
    if plan.reply is Reply.ERROR:
        raise SupplierTrouble("internal server error")
    return plan.reply
