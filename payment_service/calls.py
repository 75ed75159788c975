"""Asking the provider: the call beside any transaction, and the recording of many answers in one."""

import asyncio
from collections.abc import Callable, Sequence
from random import uniform
from typing import Final

from sqlalchemy import Connection

from chassis import clock
from chassis.calls import Again, Call, Calls, Done, Verdict
from chassis.database import Database, DatabaseAway
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.metrics import counter
from payment_service import wire
from payment_service.domain import Answer, Asked, NotSent, Payment, Policy, ProviderTrouble, Question, Refund, TimedOut
from payment_service.ports import PaymentProvider
from payment_service.repository import Loaded, Payments
from payment_service.tables import CONTEXT

_MARGIN: Final = 1.5
"""A call is sent within this many time-outs after its lease was taken, or not at all."""
_DONE: Final = Done()
_SENDS: Final = (Question.CHARGE, Question.REFUND)
_FIRST: Final = {wire.CHARGE: Question.CHARGE, wire.VOID: Question.VOID, wire.REFUND: Question.REFUND}
"""What a call asks that was never made."""

log = get_logger(__name__)


class ProviderCalls:
    """Asks the provider what payments have to ask, and makes of the answers what they mean."""

    def __init__(
        self,
        database: Database,
        provider: PaymentProvider,
        policy: Policy,
        *,
        in_flight: int,
        wake_relay: Callable[[], None],
    ) -> None:
        self._database = database
        self._provider = provider
        self._policy = policy
        self._timeout = policy.timeout.total_seconds()
        # Who finds a lease run out may trust that nothing was sent for as long as an answer may take.
        self._send_within = self._timeout * _MARGIN
        self._wake_relay = wake_relay
        self._saved: dict[str, Loaded] = {}
        self._retried: list[str] = []
        self._retries = counter(CONTEXT, "retries", "Questions that are asked of the provider again", "question")
        self.engine: Calls[Asked | None] = Calls(
            database,
            context=CONTEXT,
            name="calls",
            caller=self.ask,
            record=self.record,
            recorded=self._recorded,
            in_flight=in_flight,
            lease_seconds=2 * self._send_within,
            on_slow=self.tell_slow,
        )
        self.payments = Payments(self.engine)

    async def ask(self, call: Call) -> Asked | None:
        """Ask what a call has to ask; None when there is nothing to be asked any more."""
        question = await self._question_of(call)
        if question is None:
            return None
        failpoint("payments.call.before")
        started_at = clock.now()
        answer = await self._answer_to(question, call)
        failpoint("payments.call.after")
        return Asked(question, answer, started_at, clock.now(), call.taken_over)

    async def _question_of(self, call: Call) -> Question | None:
        if call.kind == wire.VOID:
            return Question.VOID
        if call.kind == wire.REFUND:
            return Question.REFUND_LOOK_UP if call.taken_over else wire.next_question_of(call) or Question.REFUND
        if call.taken_over:  # its caller died: ask first
            return Question.LOOK_UP
        left = wire.next_question_of(call)
        if left is Question.CHARGE:
            return await self._database.awrite(lambda connection: self._begin(connection, call))
        return left or Question.CHARGE

    def _begin(self, connection: Connection, call: Call) -> Question | None:
        loaded = self.payments.load(connection, [call.subject])
        payment = loaded.payments.get(call.subject)
        question = payment.begin_to_send(loaded.at) if payment else None
        self.payments.save(connection, loaded)
        failpoint("payments.begin.before_commit")
        return question

    async def _answer_to(self, question: Question, call: Call) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._asked(question, call)
        except TimeoutError:
            return TimedOut(f"no answer within {self._timeout:g} s")
        except ProviderTrouble as trouble:
            return trouble

    async def _asked(self, question: Question, call: Call) -> Answer:
        match question:
            case Question.CHARGE:
                self._require_time(call)
                return await self._provider.charge(wire.charge_of(call))
            case Question.LOOK_UP:
                return await self._provider.look_up(call.key)
            case Question.VOID:
                return await self._provider.void(call.key)
            case Question.REFUND:
                self._require_time(call)
                return await self._provider.refund(wire.refund_of(call))
            case Question.REFUND_LOOK_UP:
                return await self._provider.look_up_refund(call.key)

    def _require_time(self, call: Call) -> None:
        if clock.monotonic() > call.leased_at + self._send_within:
            raise NotSent("its turn came too late")

    def record(
        self, connection: Connection, answered: Sequence[tuple[Call, Asked | Exception | None]]
    ) -> list[Verdict]:
        """Write what the answers make of their payments; what each call has to ask next."""
        loaded = self.payments.load_written(connection, sorted({call.subject for call, _ in answered}))
        refunds = {call.subject for call, _ in answered if call.kind == wire.REFUND}
        self.payments.add_refunds(connection, loaded, sorted(refunds))
        verdicts = [self._judge(loaded, call, outcome) for call, outcome in answered]
        self._retried = [
            verdict.payload["next"] for verdict in verdicts if isinstance(verdict, Again) and verdict.payload
        ]
        failpoint("payments.record.before_save")
        self._save("answers", connection, loaded)
        failpoint("payments.record.before_commit")
        return verdicts

    def _judge(self, loaded: Loaded, call: Call, outcome: Asked | Exception | None) -> Verdict:
        asking: Refund | Payment | None = loaded.payments.get(call.subject)
        if call.kind == wire.REFUND:
            asking = loaded.refunds.get(call.key)
        if outcome is None or asking is None:
            return _DONE
        loaded.traces[call.subject] = call.payload["trace"]
        asked = _in_vain(call, outcome) if isinstance(outcome, Exception) else outcome
        following = asking.take_answer(asked, self._policy)
        if following is None:
            return _DONE
        pause = following.after * uniform(1.0, 1.2) if following.question in _SENDS else following.after
        return Again(pause, wire.payload_for(call, following.question))

    def tell_slow(self, connection: Connection, calls: Sequence[Call]) -> None:
        """Tell that a payment has started where the answer is not there soon; else the answer tells both."""
        loaded = self.payments.load(connection, sorted({call.subject for call in calls if call.kind == wire.CHARGE}))
        for call in calls:
            if call.kind == wire.CHARGE and (payment := loaded.payments.get(call.subject)) is not None:
                loaded.traces[call.subject] = call.payload["trace"]
                payment.take_its_time()
        self._save("slow", connection, loaded)

    def _save(self, what: str, connection: Connection, loaded: Loaded) -> None:
        self.payments.save(connection, loaded)
        self._saved[what] = loaded

    def _recorded(self) -> None:
        failpoint("payments.record.after_commit")
        saved, self._saved = self._saved, {}
        for loaded in saved.values():
            self.payments.committed(loaded)
        retried, self._retried = self._retried, []
        for question in retried:
            self._retries.labels(question).inc()
        self._wake_relay()


def _in_vain(call: Call, error: Exception) -> Asked:
    """A call that ended in an error of ours: for all we know it was sent."""
    log.error("a call failed", kind=call.kind, payment_id=call.key, order_id=call.subject, exc_info=error)
    now = clock.now()
    if isinstance(error, DatabaseAway) and call.kind == wire.CHARGE:
        return Asked(Question.CHARGE, NotSent("the database was away"), now, now)
    question = wire.next_question_of(call) or _FIRST[call.kind]
    return Asked(question, TimedOut("the call was broken off"), now, now, call.taken_over)
