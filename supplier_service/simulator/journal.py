"""The simulated suppliers' books, kept across restarts: a key is taken on once, however often it is asked for."""

from typing import Final

from sqlalchemy import Connection

from chassis.database import Database, rows_of, run_sql
from chassis.failpoints import failpoint
from supplier_service.simulator.scenarios import Chances, Plan, Reply, check_plan, reserve_plan

SCHEMA: Final = "suppliers_simulator"

_REQUEST: Final = """
INSERT INTO entries AS known (key, sku, quantity, scenario, requests)
VALUES (CAST(:key AS uuid), :sku, :quantity, :scenario, 1)
ON CONFLICT (key) DO UPDATE SET requests = known.requests + 1
RETURNING state, requests
"""
_CHECK: Final = """
UPDATE entries SET checks = checks + 1 WHERE key = CAST(:key AS uuid)
RETURNING state, scenario, checks, EXTRACT(epoch FROM clock_timestamp() - accepted_at) AS seconds
"""
_MARK: Final = """
UPDATE entries SET state = :state, accepted_at = COALESCE(accepted_at, clock_timestamp()) WHERE key = CAST(:key AS uuid)
"""
_CANCEL: Final = """
INSERT INTO entries AS known (key, state) VALUES (CAST(:key AS uuid), 'cancelled')
ON CONFLICT (key) DO UPDATE SET state = 'cancelled' WHERE known.state <> 'delivered'
RETURNING key
"""
_DELIVER: Final = """
UPDATE entries SET state = 'delivered' WHERE key = CAST(:key AS uuid) AND state = 'accepted' RETURNING key
"""
_MARKS: Final = frozenset({Reply.ACCEPTED, Reply.REJECTED, Reply.DELIVERED})


class Journal:
    """Answers one question in one transaction, committed before anybody is answered."""

    def __init__(self, database: Database, chances: Chances) -> None:
        self._database = database
        self._chances = chances

    async def reserve(self, key: str, sku: str, quantity: int, scenario: str) -> Plan:
        """What the request for goods is answered. Raises DatabaseAway: then nobody knows what was written."""
        plan = await self._database.awrite(lambda c: self._reserve(c, key, sku, quantity, scenario))
        failpoint("suppliers_simulator.after_commit")
        return plan

    async def check(self, key: str) -> Plan:
        """What a check is answered."""
        return await self._database.awrite(lambda connection: self._check(connection, key))

    async def cancel(self, key: str) -> bool:
        """Let go of a supplier order, also of one that was not asked for yet; False when the goods are delivered."""
        return await self._database.awrite(lambda connection: bool(rows_of(connection, _CANCEL, key=key)))

    async def deliver(self, key: str) -> bool:
        """Send the goods; False when they were sent already, or are not to be."""
        return await self._database.awrite(lambda connection: bool(rows_of(connection, _DELIVER, key=key)))

    def _reserve(self, connection: Connection, key: str, sku: str, quantity: int, scenario: str) -> Plan:
        [known] = rows_of(connection, _REQUEST, key=key, sku=sku, quantity=quantity, scenario=scenario)
        if known.state:
            return Plan(Reply.REJECTED if known.state in ("rejected", "cancelled") else Reply.ACCEPTED)
        plan = reserve_plan(scenario, request_number=known.requests, key=key, chances=self._chances)
        _mark(connection, key, plan.reply)
        return plan

    def _check(self, connection: Connection, key: str) -> Plan:
        rows = rows_of(connection, _CHECK, key=key)
        if not rows or rows[0].state in ("", "rejected", "cancelled"):
            return Plan(Reply.FAILED)
        known = rows[0]
        if known.state == "delivered":
            return Plan(Reply.DELIVERED)
        plan = check_plan(
            known.scenario, check_number=known.checks, seconds=float(known.seconds), key=key, chances=self._chances
        )
        _mark(connection, key, plan.reply)
        return plan


def _mark(connection: Connection, key: str, reply: Reply) -> None:
    if reply in _MARKS:
        run_sql(connection, _MARK, key=key, state=reply)
