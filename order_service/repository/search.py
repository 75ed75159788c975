"""The index of orders by SKU, which is told of new orders later than they are placed."""

from sqlalchemy import Connection

from chassis.database import run_sql


def fold_in_new_skus(connection: Connection) -> None:
    """Put into the index what was noted beside it; who looks for a SKU finds an order either way, at once."""
    run_sql(connection, "SELECT gin_clean_pending_list('orders_by_sku')")
