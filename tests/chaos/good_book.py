"""A book in which all is well, to be broken at one place at a time: one order completed, one that waits for goods."""

from typing import Final

from sqlalchemy import Connection, text

from tests.databases import truncate_all

SOLD: Final = "00000000-0000-7000-8000-000000000001"
WAITING: Final = "00000000-0000-7000-8000-000000000002"
RECEIPT: Final = "00000000-0000-7000-8000-000000000003"

_ORDER: Final = """
    INSERT INTO orders.orders (id, updated_at, version, is_held, status, previous_status, payment_status, attention,
        next_try_at, placed_at, created_at, total_minor, currency, customer_id, idempotency_key, fingerprint,
        stock_policy, payment_method, items)
    VALUES ('{id}', now(), {version}, true, '{status}', '{previous}', 'PAID', {attention}, {next_try}, now(), now(),
        510, 'GBP', 'c-1', '{key}', '', 'BACKORDER', 'sim_ok', '[{{"sku": "A", "quantity": 2}}]')
"""
_STEP: Final = """
    INSERT INTO orders.timeline (order_id, at, version, from_status, to_status, actor, reason)
    VALUES ('{id}', now(), {version}, {before}, '{status}', 'test', '')
"""
_BOOK: Final = (
    _ORDER.format(id=SOLD, version=4, status="COMPLETED", previous="PAYMENT_PROCESSING", attention="NULL",
                  next_try="NULL", key="k-1"),
    _STEP.format(id=SOLD, version=1, before="NULL", status="PENDING"),
    _STEP.format(id=SOLD, version=2, before="'PENDING'", status="RESERVED"),
    _STEP.format(id=SOLD, version=3, before="'RESERVED'", status="PAYMENT_PROCESSING"),
    _STEP.format(id=SOLD, version=4, before="'PAYMENT_PROCESSING'", status="COMPLETED"),
    _ORDER.format(id=WAITING, version=2, status="AWAITING_RESTOCK", previous="PENDING", attention="'supplier_wait'",
                  next_try="now() + interval '1 hour'", key="k-2"),
    _STEP.format(id=WAITING, version=1, before="NULL", status="PENDING"),
    _STEP.format(id=WAITING, version=2, before="'PENDING'", status="AWAITING_RESTOCK"),
    ("INSERT INTO inventory.products (sku, name, price_minor, currency, supply, supplier, active)"
    " VALUES ('A', 'a', 255, 'GBP', 'SUPPLIER', 'acme', true)"),
    "INSERT INTO inventory.stock (sku, on_hand, reserved) VALUES ('A', 3, 3)",
    ("INSERT INTO inventory.movements (cause_id, sku, kind, on_hand_delta, reserved_delta, order_id) VALUES"
    f" ('{RECEIPT}', 'A', 'receipt', 5, 0, NULL), ('{SOLD}', 'A', 'reservation', 0, 2, '{SOLD}'),"
    f" ('{SOLD}', 'A', 'sale', -2, -2, '{SOLD}'), ('{WAITING}', 'A', 'reservation', 0, 3, '{WAITING}')"),
    ("INSERT INTO inventory.reservations (id, holder, status, lines) VALUES"
    f""" ('{SOLD}', 'order', 'COMMITTED', '{{"A": 2}}'), ('{WAITING}', 'order', 'WAITING', '{{"A": 4}}')"""),
    f"INSERT INTO inventory.waiting (reservation_id, sku, missing) VALUES ('{WAITING}', 'A', 1)",
    ("INSERT INTO suppliers.supplier_orders (order_id, sku, id, status, quantity, supplier, scenario, version,"
    f" created_at, updated_at) VALUES ('{WAITING}', 'A', gen_random_uuid(), 'ACCEPTED', 1, 'acme', 'ok', 1, now(),"
    " now())"),
    ("INSERT INTO payments.payments (order_id, id, status, amount_minor, currency, payment_method, reserved_until,"
    f" captured_minor, attempts, version, created_at, updated_at) VALUES ('{SOLD}', '{SOLD}', 'CAPTURED', 510, 'GBP',"
    " 'sim_ok', now(), 510, '[]', 1, now(), now())"),
    ("INSERT INTO payments_simulator.entries (key, kind, order_id, amount_minor, currency, payment_method, outcome)"
    f" VALUES ('{SOLD}', 'charge', '{SOLD}', 510, 'GBP', 'sim_ok', 'captured')"),
)  # fmt: skip


def write_good_book(connection: Connection) -> None:
    """In the caller's transaction, in place of whatever the schemas hold; the caller rolls back."""
    for schema in ("orders", "inventory", "suppliers", "payments", "payments_simulator"):
        truncate_all(connection, schema)
    for statement in _BOOK:
        connection.execute(text(statement))
