"""The gRPC face on a real Postgres: what is answered, what is refused, and with which code."""

from typing import Any

import pytest
from google.rpc import code_pb2

from chassis import ids
from order_service.domain import Product
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import reports_pb2
from tests.services.order_service.counter import (
    Counter,
    a_request,
    fields_of,
    reason_of,
    refusal_of,
    serve,
    trailers_of,
)
from tests.services.order_service.saga_facts import captured, released, reserved
from tests.services.order_service.shop import TRACE, Shop

LAMP = Product("LAMP", "a lamp", 1999, "GBP", True, 3)


def test_an_unknown_product_is_refused_once_inventory_was_asked_and_each_line_named(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        status = await refusal_of(counter.place(("NONE", 1), ("A", 1), ("NOPE", 2)))
        assert (status.code, reason_of(status)) == (code_pb2.INVALID_ARGUMENT, "unknown_sku")
        assert fields_of(status) == {"items[0].sku", "items[2].sku"}
        assert counter.shelf.asked == [["NONE", "NOPE"]]

    serve(shop, scenario)


def test_a_product_that_the_copy_lacks_is_asked_for_once_and_kept(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        counter.shelf.sold = {"LAMP": LAMP}
        first = await counter.place(("LAMP", 2))
        second = await counter.place(("LAMP", 1))
        assert (first.total_amount, second.total_amount) == ("39.98", "19.99")
        assert counter.shelf.asked == [["LAMP"]]

    serve(shop, scenario)


def test_a_batch_asks_once_for_all_that_it_lacks_and_its_other_entries_do_not_wait(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        counter.shelf.sold = {"LAMP": LAMP}
        requests = [a_request(("LAMP", 1)), a_request(("A", 1)), a_request(("NONE", 1)), a_request(("LAMP", 3))]
        first, second = await counter.batch(*requests)
        assert [result.index for result in first] == [1]
        assert [(result.index, result.WhichOneof("outcome")) for result in second] == [
            (0, "order"), (2, "error"), (3, "order"),
        ]  # fmt: skip
        assert counter.shelf.asked == [["LAMP", "NONE"]]

    serve(shop, scenario)


def test_each_entry_of_a_batch_keeps_the_trace_of_its_own_caller(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        await counter.batch(a_request(), traceparent=TRACE)
        await counter.batch(a_request(), traceparent="nonsense")
        first, second = await counter.stored(2)
        assert shop.traces(first) == [TRACE]
        assert shop.traces(second) not in ([""], [TRACE])

    serve(shop, scenario)


def test_when_inventory_is_silent_nobody_is_told_that_a_product_is_unknown(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        counter.shelf.is_silent = True
        [[good], [silent]] = await counter.batch(a_request(), a_request(("NONE", 1)))
        assert good.HasField("order")
        assert (silent.error.code, reason_of(silent.error)) == (code_pb2.UNAVAILABLE, "unavailable")
        counter.shelf.is_silent = False
        assert reason_of(await refusal_of(counter.place(("NONE", 1)))) == "unknown_sku"

    serve(shop, scenario)


def test_a_reused_key_is_told_though_inventory_is_silent(shop: Shop) -> None:
    """Shape, key, catalogue: the key comes first."""

    async def scenario(counter: Counter) -> None:
        counter.shelf.is_silent = True
        await counter.place(idempotency_key="k")
        status = await refusal_of(counter.place(("NONE", 1), idempotency_key="k"))
        assert (status.code, reason_of(status)) == (code_pb2.FAILED_PRECONDITION, "idempotency_key_reused")

    serve(shop, scenario)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"customer_id": ""}, "validation_error", "customer_id"),
        ({"customer_id": "a\x00b"}, "validation_error", "customer_id"),
        ({"idempotency_key": ""}, "validation_error", "idempotency_key"),
        ({"currency": "EUR"}, "currency_mismatch", "currency"),
        ({"expected_total": "5.11"}, "price_changed", "expected_total"),
        ({"expected_total": "5.111"}, "validation_error", "expected_total"),
    ],
)
def test_a_refusal_names_its_reason_and_the_field(shop: Shop, changes: dict[str, Any], reason: str, field: str) -> None:
    async def scenario(counter: Counter) -> None:
        status = await refusal_of(counter.place(**changes))
        assert (reason_of(status), fields_of(status)) == (reason, {field})
        assert shop.rows("SELECT 1 FROM orders") == []

    serve(shop, scenario)


def test_the_expected_total_may_be_written_in_any_way_that_means_it(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        assert (await counter.place(expected_total="5.1")).total_amount == "5.10"
        assert (await counter.place(expected_total="5.10")).total_amount == "5.10"

    serve(shop, scenario)


def test_an_order_is_shown_as_it_stands(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        placed = await counter.place(metadata={"note": "gift"}, external_ref="po-1")
        for asked_for in (placed.id, placed.id.upper()):
            shown = await counter.orders.GetOrder(pb.GetOrderRequest(order_id=asked_for))
            assert shown == placed
        status = await refusal_of(counter.orders.GetOrder(pb.GetOrderRequest(order_id=ids.new_id())))
        assert (status.code, reason_of(status)) == (code_pb2.NOT_FOUND, "not_found")
        status = await refusal_of(counter.orders.GetOrder(pb.GetOrderRequest(order_id="1 OR 1=1")))
        assert fields_of(status) == {"order_id"}

    serve(shop, scenario)


def test_an_order_with_a_fact_that_waits_in_vain_says_so(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = (await counter.place()).id
        await counter.aside(shop.hear, captured(order_id))
        shown = await counter.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
        assert (shown.attention, shown.HasField("next_try_at")) == ("parked", True)
        await counter.aside(shop.hear, reserved(order_id))
        await counter.aside(shop.folding.retry, "payments.events", order_id)
        shown = await counter.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
        assert (shown.HasField("attention"), shown.status) == (False, pb.ORDER_STATUS_COMPLETED)

    serve(shop, scenario)


def test_a_cancel_is_accepted_until_everything_is_undone(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = (await counter.place()).id
        first = counter.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id, reason="Changed my mind."))
        assert (await first).status == pb.ORDER_STATUS_CANCELLING
        assert (await trailers_of(first))["outcome"] == "accepted"
        await counter.aside(shop.hear, released(order_id))
        second = counter.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id))
        order = await second
        assert (order.status, order.HasField("cancelled_at")) == (pb.ORDER_STATUS_CANCELLED, True)
        assert "outcome" not in await trailers_of(second)

    serve(shop, scenario)


def test_a_cancel_that_comes_too_late_names_the_status(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = (await counter.place()).id
        await counter.aside(shop.hear, reserved(order_id))
        await counter.aside(shop.hear, captured(order_id))
        status = await refusal_of(counter.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id)))
        assert (status.code, reason_of(status)) == (code_pb2.FAILED_PRECONDITION, "order_not_cancellable")
        assert "COMPLETED" in status.message
        status = await refusal_of(counter.orders.CancelOrder(pb.CancelOrderRequest(order_id=ids.new_id())))
        assert status.code == code_pb2.NOT_FOUND

    serve(shop, scenario)


def test_lists_take_their_filters_from_the_request(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        orders = [await counter.place(customer_id="me") for _ in range(3)]
        await counter.place(customer_id="you")
        page = await counter.orders.ListOrders(pb.ListOrdersRequest(customer_id="me", page_size=2))
        assert ([order.id for order in page.orders], page.page_size) == ([orders[2].id, orders[1].id], 2)
        following = pb.ListOrdersRequest(customer_id="me", page_size=2, page_token=page.next_page_token)
        page = await counter.orders.ListOrders(following)
        assert (list(page.orders), page.next_page_token) == ([orders[0]], "")
        everything = await counter.orders.ListOrders(pb.ListOrdersRequest(status=pb.ORDER_STATUS_PENDING))
        assert (len(everything.orders), everything.page_size) == (4, 15)

    serve(shop, scenario)


def test_a_list_refuses_what_makes_no_sense(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        far = pb.ListOrdersRequest()
        far.placed_before.seconds = 10**17
        requests = {
            "page_token": pb.ListOrdersRequest(page_token="garbage"),
            "page_size": pb.ListOrdersRequest(page_size=101),
            "status": pb.ListOrdersRequest(status=99),  # type: ignore[arg-type]
            "placed_before": far,
        }
        for field, request in requests.items():
            assert fields_of(await refusal_of(counter.orders.ListOrders(request))) == {field}

    serve(shop, scenario)


def test_the_timeline_tells_every_step_with_its_trace(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = (await counter.place()).id
        await counter.aside(shop.hear, reserved(order_id))
        answer = await counter.orders.ListOrderTimeline(pb.ListOrderTimelineRequest(order_id=order_id))
        first, second = answer.steps
        assert (first.HasField("from"), first.to, first.actor) == (False, pb.ORDER_STATUS_PENDING, "client")
        assert (getattr(second, "from"), second.to) == (pb.ORDER_STATUS_PENDING, pb.ORDER_STATUS_RESERVED)
        assert len(first.trace_id) == len(second.trace_id) == 32
        status = await refusal_of(counter.orders.ListOrderTimeline(pb.ListOrderTimelineRequest(order_id=ids.new_id())))
        assert status.code == code_pb2.NOT_FOUND

    serve(shop, scenario)


def test_figures_are_told_by_day_and_by_range(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = (await counter.place()).id
        await counter.aside(shop.hear, reserved(order_id))
        await counter.aside(shop.hear, captured(order_id))
        today = await counter.reports.GetDailyKpis(reports_pb2.GetDailyKpisRequest())
        assert (today.revenue, today.orders, today.average_order_value, today.currency) == ("5.10", 1, "5.10", "GBP")
        span = await counter.reports.GetRangeKpis(reports_pb2.GetRangeKpisRequest(**{"from": "2010-12-01"}))
        assert (getattr(span, "from"), span.to, span.orders) == ("2010-12-01", today.to, 1)
        empty = await counter.reports.GetDailyKpis(reports_pb2.GetDailyKpisRequest(date="2010-12-01"))
        assert (empty.revenue, empty.orders, empty.average_order_value) == ("0.00", 0, "0.00")

    serve(shop, scenario)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (reports_pb2.GetDailyKpisRequest(date="2010-02-30"), "date"),
        (reports_pb2.GetDailyKpisRequest(date="9999-12-31"), "date"),
        (reports_pb2.GetDailyKpisRequest(date="yesterday"), "date"),
        (reports_pb2.GetRangeKpisRequest(**{"from": "2011-01-02", "to": "2011-01-01"}), "to"),
        (reports_pb2.GetRangeKpisRequest(**{"from": "0000-01-01"}), "from"),
    ],
)
def test_figures_of_no_day_are_refused(shop: Shop, request_: Any, field: str) -> None:
    async def scenario(counter: Counter) -> None:
        is_daily = isinstance(request_, reports_pb2.GetDailyKpisRequest)
        ask = counter.reports.GetDailyKpis if is_daily else counter.reports.GetRangeKpis
        assert fields_of(await refusal_of(ask(request_))) == {field}

    serve(shop, scenario)
