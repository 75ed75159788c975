"""Orders that are read several at a time: each shown to its own caller, or refused to that caller alone."""

from google.rpc import code_pb2

from chassis import ids
from chassis.access.caller import Caller, Role
from chassis.errors import Unauthenticated
from order_service import queries
from order_service.servicer.asking import Asking
from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import Counter, reason_of, serve
from tests.services.order_service.shop import Shop


def _entries(*order_ids: str) -> pb.BatchGetOrdersRequest:
    entries = [pb.BatchGetOrdersEntry(request=pb.GetOrderRequest(order_id=order_id)) for order_id in order_ids]
    return pb.BatchGetOrdersRequest(entries=entries)


def test_each_entry_has_its_own_answer_in_order(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        first, second = shop.place(customer="a"), shop.place(customer="b")
        asked = _entries(second, "nonsense", ids.new_id(), first.upper(), second, "")
        results = (await counter.orders.BatchGetOrders(asked)).results

        assert [result.order.id for result in results] == [second, "", "", first, second, ""]
        assert [reason_of(result.error) for result in results if result.HasField("error")] == [
            "validation_error", "not_found", "validation_error",
        ]  # fmt: skip
        assert results[0].order == await counter.orders.GetOrder(pb.GetOrderRequest(order_id=second))

    serve(shop, scenario)


def test_the_token_of_a_neighbour_opens_nothing(shop: Shop) -> None:
    """One who shares a batch with the owner of an order is told what a stranger is told."""
    order_id = shop.place(customer="anna")
    shown = shop.database.read(lambda connection: queries.get_orders(connection, [order_id]))[order_id]
    request = pb.GetOrderRequest(order_id=order_id)
    anna, ben = (Caller(Role.CUSTOMER, name, name) for name in ("anna", "ben"))

    assert Asking.of(request, anna).answered(shown).order.id == order_id
    theirs = Asking.of(request, ben).answered(shown)
    unknown = Asking.of(request, ben).answered(None)
    assert theirs.error == unknown.error
    assert theirs.error.code == code_pb2.NOT_FOUND
    nobody = Asking.of(request, Unauthenticated("no token")).answered(shown)
    assert (nobody.HasField("order"), nobody.error.code) == (False, code_pb2.UNAUTHENTICATED)
