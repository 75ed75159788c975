"""Asking suppliers: the call beside any transaction, and the recording of many answers in one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import uniform
from typing import Final

from sqlalchemy import Connection

from chassis import clock, tracing
from chassis.calls import Again, Call, Calls, Done, Verdict
from chassis.database import Database
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from supplier_service import wire
from supplier_service.domain import CONTEXT, Answer, Policy, Question, SupplierOrder, SupplierTrouble
from supplier_service.ports import Supplier
from supplier_service.repository import Loaded, SupplierOrders

PACE_SECONDS: Final = 0.1
"""How far rounds of this service are apart: goods take seconds at least, and are ordered a few at a time."""
_LEASE: Final = 3.0
"""Time-outs of a supplier that a lease lasts; who finds it run out asks again under the same key."""

log = get_logger(__name__)


class SupplierCalls:
    """Asks suppliers what supplier orders have to ask, and makes of the answers what they mean."""

    def __init__(
        self,
        database: Database,
        supplier: Supplier,
        policy: Policy,
        *,
        timeout_seconds: float,
        in_flight: int,
        wake_relay: Callable[[], None],
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._supplier = supplier
        self._policy = policy
        self._timeout = timeout_seconds
        self._wake_relay = wake_relay
        self._saved: Loaded | None = None
        self.engine: Calls[Answer] = Calls(
            database,
            context=CONTEXT,
            name="calls",
            caller=self.ask,
            record=self.record,
            recorded=self._recorded,
            in_flight=in_flight,
            lease_seconds=_LEASE * timeout_seconds,
            pace_seconds=PACE_SECONDS,
            closing=closing,
        )
        self.supplier_orders = SupplierOrders(self.engine)

    async def ask(self, call: Call) -> Answer:
        """Ask what a call has to ask, within its order's trace."""
        tracing.current.set(call.payload.get("trace", ""))
        failpoint("suppliers.call.before")
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._answer_to(call)
        except TimeoutError:
            answer = SupplierTrouble(f"no answer within {self._timeout:g} s")
        except SupplierTrouble as trouble:
            answer = trouble
        if isinstance(answer, SupplierTrouble):
            log.warning("a supplier gave no answer", kind=call.kind, supplier_order_id=call.key, reason=str(answer))
        failpoint("suppliers.call.after")
        return answer

    async def _answer_to(self, call: Call) -> Answer:
        question = wire.question_of(call)
        if question is Question.RESERVE:
            return await self._supplier.reserve(wire.request_of(call))
        if question is Question.CHECK:
            return await self._supplier.check(wire.named_of(call))
        return await self._supplier.cancel(wire.named_of(call))

    def record(self, connection: Connection, answered: Sequence[tuple[Call, Answer | Exception]]) -> list[Verdict]:
        """Write what the answers make of their supplier orders; what each call has to ask next."""
        loaded = self.supplier_orders.load(connection, sorted({call.subject for call, _ in answered}))
        known = loaded.by_id()
        verdicts = [self._judge(loaded, known.get(call.key), call, answer) for call, answer in answered]
        self.supplier_orders.save(connection, loaded)
        self._saved = loaded
        failpoint("suppliers.record.before_commit")
        return verdicts

    def _judge(self, loaded: Loaded, asker: SupplierOrder | None, call: Call, answer: Answer | Exception) -> Verdict:
        if asker is None:
            return Done()
        loaded.traces[call.subject] = call.payload["trace"]
        following = asker.take_answer(wire.question_of(call), _decided(call, answer), clock.now(), self._policy)
        if following is None:
            return Done()
        return Again(following.after * uniform(1.0, 1.1), wire.payload_for(call, following.question, asker))

    def _recorded(self) -> None:
        failpoint("suppliers.record.after_commit")
        saved, self._saved = self._saved, None
        if saved is not None:
            self.supplier_orders.committed(saved)
        self._wake_relay()


def _decided(call: Call, answer: Answer | Exception) -> Answer:
    """An answer that decides something, or trouble; an error of ours is logged, and asked again as any trouble."""
    if not isinstance(answer, Exception) or isinstance(answer, SupplierTrouble):
        return answer
    log.error("a call failed", kind=call.kind, supplier_order_id=call.key, order_id=call.subject, exc_info=answer)
    return SupplierTrouble("the call was broken off")
