"""The simulated suppliers' books, kept across restarts: a key is taken on once, however often it is asked for."""

from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import Database, rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.ids import is_id
from supplier_service.simulator.grouping import Grouping
from supplier_service.simulator.scenarios import Chances, Plan, Reply, check_plan, reserve_plan

_OWN: Final = "sim-"
SCHEMA: Final = "suppliers_simulator"

_REQUEST: Final = """
INSERT INTO entries AS known (key, supplier, sku, quantity, scenario, requests)
VALUES (CAST(:key AS uuid), :supplier, :sku, :quantity, :scenario, 1)
ON CONFLICT (key) DO UPDATE SET requests = known.requests + 1
RETURNING state, scenario, requests
"""
_CHECK: Final = """
UPDATE entries SET checks = checks + 1 WHERE key = CAST(:key AS uuid) AND supplier IN ('', :supplier)
RETURNING state, scenario, checks, EXTRACT(epoch FROM clock_timestamp() - accepted_at) AS seconds
"""
_MARK: Final = """
UPDATE entries SET state = :state, accepted_at = COALESCE(accepted_at, clock_timestamp()),
    tell_at = COALESCE(tell_at, clock_timestamp() + make_interval(secs => CAST(:tell_after AS float8)))
WHERE key = CAST(:key AS uuid)
"""
_CANCEL: Final = """
INSERT INTO entries AS known (key, supplier, state) VALUES (CAST(:key AS uuid), :supplier, 'cancelled')
ON CONFLICT (key) DO UPDATE SET state = 'cancelled', tell_at = NULL
WHERE known.state <> 'delivered' AND known.supplier IN ('', :supplier)
RETURNING key
"""
_DELIVER: Final = """
UPDATE entries SET state = 'delivered', tell_at = NULL
WHERE key = CAST(:key AS uuid) AND state IN ('accepted', 'delivered') AND tell_at IS NOT NULL RETURNING key
"""
_TO_TELL: Final = """
SELECT supplier, key, GREATEST(EXTRACT(epoch FROM tell_at - clock_timestamp()), 0) AS seconds
FROM entries WHERE tell_at IS NOT NULL ORDER BY tell_at LIMIT 1000
"""
_MARKS: Final = frozenset({Reply.ACCEPTED, Reply.REJECTED, Reply.DELIVERED})


def reference_of(key: str) -> str:
    """The supplier's own name for what it was asked for under a key."""
    return f"{_OWN}{key}"


def key_of(name: str) -> str | None:
    """The key behind a name, be it the supplier's own or ours; None where it is neither."""
    key = name.lower().removeprefix(_OWN)
    return key if is_id(key) else None


class Asked(NamedTuple):
    """Goods asked of a supplier under a key."""

    key: str
    supplier: str
    sku: str
    quantity: int
    scenario: str


class ToTell(NamedTuple):
    """A webhook that is to be sent in so many seconds."""

    supplier: str
    key: str
    seconds: float


class Journal:
    """Answers questions in transactions that are committed before anybody is answered, several in one where they come
    close together."""

    def __init__(self, database: Database, chances: Chances) -> None:
        self._database = database
        self._grouping = Grouping(database)
        self._chances = chances

    async def reserve(self, asked: Asked) -> Plan:
        """What the request for goods is answered. Raises DatabaseAway: then nobody knows what was written."""
        plan = await self._grouping.ask(lambda connection: self._reserve(connection, asked))
        failpoint("suppliers_simulator.after_commit")
        return plan

    async def check(self, supplier: str, key: str) -> Plan:
        """What a check is answered."""
        return await self._grouping.ask(lambda connection: self._check(connection, supplier, key))

    async def cancel(self, supplier: str, key: str) -> bool:
        """Let go of a supplier order, also of one that was not asked for yet; False when the goods are delivered."""
        return await self._grouping.ask(lambda c: bool(rows_of(c, _CANCEL, supplier=supplier, key=key)))

    async def deliver(self, key: str) -> bool:
        """Send the goods, and have it told, once; False when nobody is to be told of them any more."""
        return await self._grouping.ask(lambda connection: bool(rows_of(connection, _DELIVER, key=key)))

    async def to_tell(self) -> list[ToTell]:
        """The webhooks that are still to be sent, those due first."""
        rows = await self._database.aread(lambda connection: rows_of(connection, _TO_TELL))
        return [ToTell(row.supplier, row.key, float(row.seconds)) for row in rows]

    def _reserve(self, connection: Connection, asked: Asked) -> Plan:
        [known] = rows_of(connection, _REQUEST, **asked._asdict())
        if known.state:
            return Plan(Reply.REJECTED if known.state in ("rejected", "cancelled") else Reply.ACCEPTED)
        plan = reserve_plan(known.scenario, request_number=known.requests, key=asked.key, chances=self._chances)
        _mark(connection, asked.key, plan)
        return plan

    def _check(self, connection: Connection, supplier: str, key: str) -> Plan:
        rows = rows_of(connection, _CHECK, supplier=supplier, key=key)
        if not rows or not rows[0].state:
            return Plan(Reply.UNKNOWN)
        known = rows[0]
        if known.state in ("rejected", "cancelled"):
            return Plan(Reply.FAILED)
        if known.state == "delivered":
            return Plan(Reply.DELIVERED)
        plan = check_plan(
            known.scenario, check_number=known.checks, seconds=float(known.seconds), key=key, chances=self._chances
        )
        _mark(connection, key, plan)
        return plan


def _mark(connection: Connection, key: str, plan: Plan) -> None:
    if plan.reply in _MARKS:
        run_sql(connection, _MARK, key=key, state=plan.reply, tell_after=plan.webhook_after)
