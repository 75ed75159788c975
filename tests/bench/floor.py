"""The floor: the batched SQL of an order's whole life on the system's own tables, and nothing else.

50 orders a statement, 4 connections, 4 commits a batch: place, hold stock, take money, complete. No RPC, no events, no
inbox or outbox, no provider: what no order system on this database could do without. Its orders are its own, under
keys of their own.
"""

import json
import random
import resource
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from chassis import clock, ids
from tests.bench.load import LINES, SKUS
from tests.bench.mix import sku
from tests.bench.processes import cpu_seconds

BATCH = 50
CONNECTIONS = 4
_PRICE = 255

_PLACE = (
    """
    INSERT INTO orders.orders (id, customer_id, idempotency_key, fingerprint, status, payment_status, total_minor,
        currency, stock_policy, payment_method, items, placed_at, created_at, updated_at, version)
    SELECT id, customer, key, decode('00', 'hex'), 'PENDING', 'NONE', total, 'GBP', 'REJECT', 'sim_ok', items, now(),
        now(), now(), 1
    FROM unnest(%(ids)s::uuid[], %(customers)s::text[], %(keys)s::text[], %(totals)s::bigint[], %(items)s::jsonb[])
        AS new (id, customer, key, total, items)
    """,
    """
    INSERT INTO orders.timeline (order_id, at, version, to_status, actor, reason)
    SELECT id, now(), 1, 'PENDING', 'floor', 'placed' FROM unnest(%(ids)s::uuid[]) AS new (id)
    """,
    "INSERT INTO orders.unfinished (order_id) SELECT unnest(%(ids)s::uuid[])",
)
_HOLD = (
    """
    SELECT sku FROM inventory.stock WHERE sku = ANY(%(skus)s::text[]) ORDER BY sku FOR UPDATE
    """,
    """
    UPDATE inventory.stock SET reserved = reserved + pieces
    FROM unnest(%(skus)s::text[], %(pieces)s::bigint[]) AS taken (sku, pieces) WHERE stock.sku = taken.sku
    """,
    """
    INSERT INTO inventory.reservations (id, holder, status, lines, expires_at)
    SELECT id, 'order', 'HELD', lines, now() + interval '10 min'
    FROM unnest(%(ids)s::uuid[], %(lines)s::jsonb[]) AS new (id, lines)
    """,
    """
    INSERT INTO inventory.movements (sku, kind, on_hand_delta, reserved_delta, cause_id, order_id)
    SELECT sku, 'reservation', 0, pieces, id, id
    FROM unnest(%(line_ids)s::uuid[], %(line_skus)s::text[], %(line_pieces)s::bigint[]) AS new (id, sku, pieces)
    """,
    """
    UPDATE orders.orders SET status = 'RESERVED', previous_status = 'PENDING', version = 2, is_held = true,
        reserved_until = now() + interval '10 min', payment_status = 'PENDING', updated_at = now()
    WHERE id = ANY(%(ids)s::uuid[])
    """,
    """
    INSERT INTO orders.timeline (order_id, at, version, from_status, to_status, actor, reason)
    SELECT id, now(), 2, 'PENDING', 'RESERVED', 'floor', 'held' FROM unnest(%(ids)s::uuid[]) AS new (id)
    """,
)
_PAY = (
    """
    INSERT INTO payments.payments (order_id, id, status, amount_minor, currency, payment_method, reserved_until,
        created_at, updated_at, attempts, version, captured_minor)
    SELECT id, gen_random_uuid(), 'CAPTURED', total, 'GBP', 'sim_ok', now(), now(), now(), '[]', 1, total
    FROM unnest(%(ids)s::uuid[], %(totals)s::bigint[]) AS new (id, total)
    """,
)
_COMPLETE = (
    """
    UPDATE orders.orders SET status = 'COMPLETED', previous_status = 'PAYMENT_PROCESSING', version = 4,
        reserved_until = NULL, payment_status = 'PAID', updated_at = now(), completed_at = now()
    WHERE id = ANY(%(ids)s::uuid[])
    """,
    """
    INSERT INTO orders.timeline (order_id, at, version, from_status, to_status, actor, reason)
    SELECT id, now(), version, before, after, 'floor', 'paid' FROM unnest(%(ids)s::uuid[]) AS new (id),
        (VALUES (3, 'RESERVED', 'PAYMENT_PROCESSING'), (4, 'PAYMENT_PROCESSING', 'COMPLETED'))
        AS steps (version, before, after)
    """,
    "DELETE FROM orders.unfinished WHERE order_id = ANY(%(ids)s::uuid[])",
    "SELECT sku FROM inventory.stock WHERE sku = ANY(%(skus)s::text[]) ORDER BY sku FOR UPDATE",
    """
    UPDATE inventory.stock SET reserved = reserved - pieces, on_hand = on_hand - pieces
    FROM unnest(%(skus)s::text[], %(pieces)s::bigint[]) AS taken (sku, pieces) WHERE stock.sku = taken.sku
    """,
    "UPDATE inventory.reservations SET status = 'COMMITTED' WHERE id = ANY(%(ids)s::uuid[])",
    """
    INSERT INTO inventory.movements (sku, kind, on_hand_delta, reserved_delta, cause_id, order_id)
    SELECT sku, 'sale', -pieces, -pieces, id, id
    FROM unnest(%(line_ids)s::uuid[], %(line_skus)s::text[], %(line_pieces)s::bigint[]) AS new (id, sku, pieces)
    """,
)
_COMMITS = (_PLACE, _HOLD, _PAY, _COMPLETE)


@dataclass
class FloorRun:
    """One run of the floor; CPU of Postgres and of its client, in microseconds per order."""

    orders: int
    per_second: float
    cpu_per_order: float


class Floor:
    """Runs the SQL of whole orders as fast as it goes, on four connections."""

    def __init__(self, owner_url: str, postgres_pid: int) -> None:
        self._url = owner_url
        self._pids = {"postgres": postgres_pid}

    def run(self, seconds: float) -> FloorRun:
        """Whole orders for so many seconds."""
        done: list[int] = []
        before, used, started = cpu_seconds(self._pids)["postgres"], _own_cpu(), clock.monotonic()
        threads = [threading.Thread(target=self._work, args=(seed, seconds, done)) for seed in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = clock.monotonic() - started
        cpu = cpu_seconds(self._pids)["postgres"] - before + _own_cpu() - used
        return FloorRun(sum(done), sum(done) / elapsed, cpu / sum(done) * 1e6)

    def _work(self, seed: int, seconds: float, done: list[int]) -> None:
        choice, until = random.Random(seed), clock.monotonic() + seconds
        with psycopg.connect(self._url) as connection:
            while clock.monotonic() < until:
                batch = _batch(choice)
                for statements in _COMMITS:
                    for statement in statements:
                        connection.execute(statement, batch)
                    connection.commit()
                done.append(BATCH)


def _batch(choice: random.Random) -> dict[str, Sequence[object]]:
    orders = [(ids.new_id(), choice.sample(range(SKUS), LINES)) for _ in range(BATCH)]
    lines = [(id_, sku(number), 1 + number % 3) for id_, numbers in orders for number in numbers]
    taken: Counter[str] = Counter()
    for _, name, pieces in lines:
        taken[name] += pieces
    by_order = {id_: {sku(number): 1 + number % 3 for number in numbers} for id_, numbers in orders}
    return {
        "ids": [id_ for id_, _ in orders],
        "customers": [f"floor-{choice.randrange(997)}" for _ in orders],
        "keys": [f"floor-{id_}" for id_, _ in orders],
        "totals": [sum(by_order[id_].values()) * _PRICE for id_, _ in orders],
        "items": [json.dumps([{"sku": name, "name": "benchmark product", "quantity": pieces, "unit_price_minor": _PRICE}
                              for name, pieces in by_order[id_].items()]) for id_, _ in orders],
        "lines": [json.dumps(by_order[id_]) for id_, _ in orders],
        "skus": sorted(taken),
        "pieces": [taken[name] for name in sorted(taken)],
        "line_ids": [id_ for id_, _, _ in lines],
        "line_skus": [name for _, name, _ in lines],
        "line_pieces": [pieces for _, _, pieces in lines],
    }  # fmt: skip


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
