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
from supplier_service.ports import ReserveRequest
from supplier_service.simulator.journal import Journal
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
            plan = await self._journal.reserve(request.key, request.sku, request.quantity, request.scenario)
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error
        if plan.webhook_after is not None and self._webhooks is not None:
            self._webhooks.deliver_later(request.supplier, request.key, plan.webhook_after)
        if await _said(plan) is Reply.REJECTED:
            return Rejected("The supplier does not take this order on.")
        return Accepted(f"sim-{request.key}")

    async def check(self, key: str) -> Delivered | Delayed | Underway | Failed:
        """How the supplier order under a key stands."""
        try:
            plan = await self._journal.check(key)
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error
        match await _said(plan):
            case Reply.DELIVERED:
                return Delivered()
            case Reply.DELAYED:
                return Delayed()
            case Reply.FAILED:
                return Failed("The supplier will not deliver.")
        return Underway()

    async def cancel(self, key: str) -> Cancelled | TooLate:
        """Let it go; harmless when said twice, and before the request has come."""
        try:
            return Cancelled() if await self._journal.cancel(key) else TooLate()
        except Unavailable as error:
            raise SupplierTrouble("the supplier's books could not be reached") from error


async def _said(plan: Plan) -> Reply:
    await asyncio.sleep(plan.after_ms / 1000)
    if plan.reply is Reply.ERROR:
        raise SupplierTrouble("internal server error")
    return plan.reply
