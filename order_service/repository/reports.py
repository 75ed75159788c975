"""What reports keep of a customer by name, where that name is given up."""

from typing import Final

from sqlalchemy import Connection

from chassis.database import run_sql

# The turn is what keeps the job from counting meanwhile; without a row of state nothing is kept yet.
_TURN: Final = "UPDATE report_state SET turn = turn + 1"
_MOVE: Final = """
WITH old AS (
    DELETE FROM report_customers WHERE customer_id = :customer_id RETURNING generation, spent_minor, orders
), told AS (
    INSERT INTO report_changes (customers, skus) VALUES (ARRAY[:customer_id, :pseudonym], '{}')
)
INSERT INTO report_customers AS known (generation, customer_id, spent_minor, orders)
SELECT generation, :pseudonym, spent_minor, orders FROM old
ON CONFLICT (generation, customer_id) DO UPDATE
SET spent_minor = known.spent_minor + excluded.spent_minor, orders = known.orders + excluded.orders
"""


def rename_in_reports(connection: Connection, customer_id: str, pseudonym: str) -> None:
    """What a customer's orders come to is from now on that of a pseudonym; the old name leaves Redis as well.

    In the transaction that gives all orders of the customer the pseudonym: what is counted is found by their rows.
    """
    run_sql(connection, _TURN)
    run_sql(connection, _MOVE, customer_id=customer_id, pseudonym=pseudonym)
