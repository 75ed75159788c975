"""What the database itself refuses: every step that is not in the table, whoever tries it."""

from itertools import product

import pytest
from psycopg import IntegrityError

from chassis.database import run_sql
from order_service.domain import NEXT_STATUSES, Status
from tests.services.order_service.shop import Shop

_LEGAL = {(status, following) for status, all_following in NEXT_STATUSES.items() for following in all_following}
_STEP = "UPDATE orders SET status = :status, previous_status = :previous, version = version + 1"


def _put_into(shop: Shop, status: Status) -> None:
    """Past the trigger: how an order came here is not what is asked."""
    previous = next((before for before, after in sorted(_LEGAL) if after is status), None)
    with shop.database.begin() as connection:
        run_sql(connection, "ALTER TABLE orders DISABLE TRIGGER USER")
        run_sql(connection, _STEP, status=status, previous=previous)
        run_sql(connection, "ALTER TABLE orders ENABLE TRIGGER USER")


def _is_accepted(shop: Shop, sql: str, **parameters: object) -> bool:
    """Whether the database takes a statement; nothing of it stays."""
    with shop.database.engine.connect() as connection:
        try:
            run_sql(connection, sql, **parameters)
        except IntegrityError:
            return False
        finally:
            connection.rollback()
    return True


@pytest.mark.parametrize("status", Status)
def test_a_raw_update_takes_the_steps_of_the_table_and_no_others(shop: Shop, status: Status) -> None:
    shop.place()
    _put_into(shop, status)
    accepted = {to for to in Status if _is_accepted(shop, _STEP, status=to, previous=status)}
    assert accepted == NEXT_STATUSES[status]


@pytest.mark.parametrize("status", Status)
def test_an_update_follows_two_steps_of_the_table_and_no_other_two(shop: Shop, status: Status) -> None:
    shop.place()
    _put_into(shop, status)
    accepted = {
        (by_way_of, to)
        for by_way_of, to in product(Status, Status)
        if status not in (by_way_of, to) and _is_accepted(shop, _STEP, status=to, previous=by_way_of)
    }
    wanted = {(by_way_of, to) for by_way_of in NEXT_STATUSES[status] for to in NEXT_STATUSES[by_way_of]}
    assert accepted == wanted


@pytest.mark.parametrize("status", Status)
def test_an_order_may_stay_where_it_is(shop: Shop, status: Status) -> None:
    shop.place()
    _put_into(shop, status)
    assert _is_accepted(shop, "UPDATE orders SET version = version + 1, attention = 'parked', status = status")


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PENDING}))
def test_an_order_begins_pending(shop: Shop, status: Status) -> None:
    shop.place()
    columns = (
        "updated_at, version, payment_status, placed_at, created_at, total_minor, currency, customer_id, fingerprint,"
        " stock_policy, payment_method, items"
    )
    sql = (
        f"INSERT INTO orders (id, idempotency_key, status, previous_status, {columns})"
        f" SELECT gen_random_uuid(), 'another', :status, :previous, {columns} FROM orders"
    )
    previous = next(before for before, after in sorted(_LEGAL) if after is status)
    assert not _is_accepted(shop, sql, status=status, previous=previous)
    assert _is_accepted(shop, sql, status="PENDING", previous=None)


@pytest.mark.parametrize("status", Status)
def test_the_timeline_takes_the_steps_of_the_table_and_no_others(shop: Shop, status: Status) -> None:
    order_id = shop.place()
    sql = (
        "INSERT INTO timeline (order_id, version, from_status, to_status, reason, actor, at)"
        " VALUES (CAST(:id AS uuid), 2, :previous, :status, '', '', now())"
    )
    accepted = {to for to in Status if _is_accepted(shop, sql, id=order_id, previous=status, status=to)}
    assert accepted == NEXT_STATUSES[status] | {status}
    assert not _is_accepted(shop, sql, id=order_id, previous=None, status=status)


def test_no_two_steps_have_one_version(shop: Shop) -> None:
    shop.place()
    assert not _is_accepted(shop, "INSERT INTO timeline SELECT * FROM timeline")


def test_no_more_is_refunded_than_was_paid(shop: Shop) -> None:
    shop.place()
    assert _is_accepted(shop, "UPDATE orders SET refunded_minor = total_minor")
    assert not _is_accepted(shop, "UPDATE orders SET refunded_minor = total_minor + 1")


def test_a_refused_step_says_from_where_to_where(shop: Shop) -> None:
    order_id = shop.place()
    with pytest.raises(
        IntegrityError, match=f"order {order_id} cannot go from PENDING to FAILED by way of COMPENSATING"
    ):
        shop.run(_STEP, status="FAILED", previous="COMPENSATING")
