"""The list of orders as a file: whole, of those asked for, and safe to open in a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest
from google.rpc import code_pb2

from order_service.servicer import orders
from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import Counter, refusal_of, serve
from tests.services.order_service.shop import Shop


async def _file(counter: Counter, **filters: Any) -> list[dict[str, str]]:
    pieces = [piece.data async for piece in counter.orders.ExportOrders(pb.ExportOrdersRequest(**filters))]
    return list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))


def test_a_file_has_every_order_that_is_asked_for_once_newest_first(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        count = orders.EXPORT_PAGE_SIZE + 7
        placed = [shop.place(("A", 1), customer="me") for _ in range(count)]
        shop.place(("B", 1), customer="you")
        lines = await _file(counter, customer_id="me")
        assert [line["id"] for line in lines] == placed[::-1]
        assert [line["customer_id"] for line in await _file(counter, sku="B")] == ["you"]

    serve(shop, scenario)


def test_a_line_tells_what_the_order_is(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = shop.place(("A", 2), ("B", 1))
        [line] = await _file(counter)
        shown = await counter.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
        assert (line["id"], line["status"], line["version"]) == (order_id, "PENDING", "1")
        assert (line["total_amount"], line["currency"]) == (shown.total_amount, shown.currency)
        assert json.loads(line["items"])[0] == {"sku": "A", "name": "a A", "quantity": 2, "unit_price": "2.55"}
        assert line["completed_at"] == ""

    serve(shop, scenario)


@pytest.mark.parametrize("bad", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_no_cell_begins_a_formula(shop: Shop, bad: str) -> None:
    async def scenario(counter: Counter) -> None:
        await counter.place(customer_id=bad, external_ref=bad)
        [line] = await _file(counter)
        assert (line["customer_id"], line["external_ref"]) == (f"'{bad}", f"'{bad}")

    serve(shop, scenario)


def test_without_orders_it_is_a_head_alone(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        assert await _file(counter, customer_id="nobody") == []

    serve(shop, scenario)


def test_a_bad_filter_is_refused_before_the_file_begins(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        status = await refusal_of(anext(aiter(counter.orders.ExportOrders(pb.ExportOrdersRequest(customer_id="\x00")))))
        assert status.code == code_pb2.INVALID_ARGUMENT

    serve(shop, scenario)
