"""What may be asked: to forget a customer; and the steps by which it is done, each one transaction."""

from typing import Final

from sqlalchemy import Connection

from chassis import audit, clock, tracing
from chassis.failpoints import failpoint
from order_service.privacy import queries, repository
from order_service.privacy.domain import Forgetting, ForgettingStatus

ORDERS: Final = 200
"""Orders of a step."""


def ask_to_forget(connection: Connection, customer_id: str, actor: str) -> Forgetting:
    """Begin to forget a customer, unless nothing is left to forget, or it has begun; how far it is.

    Rule (protocols: forget): from the commit on nothing new is stored under the customer's name, so that what is
    renamed afterwards cannot be placed again behind the renaming's back. A placing that began before has ended by then.
    """
    repository.stop_placing(connection)
    if (known := queries.standing(connection, customer_id)) is not None:
        return known
    trace_id = tracing.trace_id_of(tracing.current.get()) or None
    begun = repository.begin(connection, customer_id, actor, trace_id, clock.now())
    audit.note(connection, actor=actor, action="forget_customer", subject=begun.pseudonym, details={})
    failpoint("orders.forget.before_begun")
    return begun


def forget_next(connection: Connection, forgetting: Forgetting, orders: int = ORDERS) -> bool:
    """Forget the customer in their next orders that have ended; whether there may be more of them."""
    repository.stop_counting(connection)
    renamed = repository.rename_orders(connection, forgetting, orders, clock.now())
    failpoint("orders.forget.after_orders")
    return renamed == orders


def end_forgetting(connection: Connection, forgetting: Forgetting) -> bool:
    """Forget the customer everywhere else, and then who it was; False while orders or imports need the name."""
    if forgetting.status is not ForgettingStatus.FORGETTING:
        return True
    repository.stop_counting(connection)
    repository.rename_staged(connection, forgetting)
    if queries.is_left(connection, str(forgetting.customer_id)):
        return False
    repository.rename_totals(connection, forgetting)
    repository.end(connection, forgetting, clock.now())
    failpoint("orders.forget.before_ended")
    return True
