"""Who gave money back, and who ended somebody else's order."""

from typing import Any

from chassis import ids
from order_service import commands
from order_service.commands import CancelOrder
from tests.services.order_service.refunding import a_paid_order, a_refund, refund_of
from tests.services.order_service.shop import TRACE, Shop


def acts(shop: Shop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in shop.rows("SELECT actor, action, subject, details FROM audit ORDER BY id")]


def cancel(shop: Shop, actor: str, *order_ids: str) -> None:
    asked = [CancelOrder(order_id, "why", actor, TRACE) for order_id in order_ids]
    shop.database.write(lambda connection: commands.cancel_orders(connection, asked))


def test_a_refund_is_noted_once_without_the_words_in_which_it_was_asked_for(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    asked = a_refund(order_id, "k", amount_minor=100, reason="a broken vase")._replace(actor="operator:boss")

    [refund] = shop.refund(asked)
    shop.refund(asked._replace(id=ids.new_id()))
    shop.refund(a_refund(order_id, amount_minor=1_000_000))

    details = {"refund": refund_of(refund), "amount_minor": 100, "currency": "GBP"}
    assert acts(shop) == [("operator:boss", "refund_order", order_id, details)]


def test_an_operators_cancel_is_noted_and_a_customers_is_not(shop: Shop) -> None:
    theirs, own = shop.place(("A", 1)), shop.place(("A", 1))

    cancel(shop, "operator:boss", theirs, theirs)
    cancel(shop, "customer:c-17", own)
    cancel(shop, "operator:boss", own)

    assert acts(shop) == [("operator:boss", "cancel_order", theirs, {})]
    [step] = shop.rows("SELECT actor FROM timeline WHERE order_id = CAST(:id AS uuid) AND version = 2", id=own)
    assert step.actor == "customer:c-17"
