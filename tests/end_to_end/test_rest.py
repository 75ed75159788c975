"""Orders from REST to COMPLETED through all services, and what REST says of everything else on the way."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from deploy.local import Stack
from tests.end_to_end.shop import Answer, Shop
from tests.waiting import until

FILE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
{run}1,{sku},HEART,2,2010-12-01 08:26:00,2.55,17850,United Kingdom
{run}2,{sku},HEART,-2,2010-12-01 08:30:00,2.55,17850,United Kingdom
"""


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def at_once(count: int, place: Callable[[int], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(place, range(count)))


def test_an_order_goes_its_whole_way_in_one_trace(shop: Shop) -> None:
    sku = shop.stock("whole", 10, "19.99")
    trace_id = uuid.uuid4().hex

    placed = shop.call("POST", "/orders", an_order(sku), {"X-Trace-Id": str(uuid.UUID(trace_id)), "Prefer": "wait=10"})
    done = shop.comes_to(placed.data["id"], "COMPLETED")

    assert (placed.status, placed.headers["x-trace-id"]) == (201, trace_id)
    assert (done["status"], done["payment_status"], done["total_amount"]) == ("COMPLETED", "PAID", "39.98")
    steps = shop.call("GET", f"/orders/{done['id']}/timeline").data
    assert [step["to"] for step in steps] == ["PENDING", "RESERVED", "PAYMENT_PROCESSING", "COMPLETED"]
    assert {step["trace_id"] for step in steps} == {trace_id}
    assert [payment["status"] for payment in shop.call("GET", f"/orders/{done['id']}/payments").data] == ["CAPTURED"]
    assert until(lambda: on_the_shelf(shop, sku) == (8, 0, 8)), on_the_shelf(shop, sku)


def test_of_many_who_want_the_last_piece_one_has_it(shop: Shop) -> None:
    sku = shop.stock("last", 1)

    answers = at_once(30, lambda index: shop.place([(sku, 1)], customer_id=f"c-{index}"))

    assert Counter(answer.status for answer in answers) == {201: 1, 409: 29}
    told = next(answer.body for answer in answers if answer.status == 409)
    assert told["error_code"] == "insufficient_stock"
    assert told["shortages"] == [{"sku": sku, "requested": 1, "available": 0}]
    assert on_the_shelf(shop, sku)[2] == 0


def test_one_key_is_one_order_however_often_it_is_sent_at_once(shop: Shop) -> None:
    sku, key = shop.stock("keyed", 100), uuid.uuid4().hex

    answers = at_once(30, lambda index: shop.place([(sku, 1)], key=key))

    assert Counter(answer.status for answer in answers) == {201: 1, 200: 29}
    assert len({answer.data["id"] for answer in answers}) == 1
    assert {answer.headers["idempotent-replayed"] for answer in answers if answer.status == 200} == {"true"}
    other = shop.place([(sku, 2)], key=key)
    assert (other.status, other.body["error_code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"items": []}, "validation_error", "items"),
        ({"items": [{"sku": "A", "quantity": 0}]}, "validation_error", "items[0].quantity"),
        ({"items": [{"sku": "A", "quantity": 10**12}]}, "validation_error", "items[0].quantity"),
        ({"items": [{"sku": "A" * 65, "quantity": 1}]}, "validation_error", "items[0].sku"),
        ({"customer_id": "a\x00b"}, "validation_error", "customer_id"),
        ({"customer_id": "   "}, "validation_error", "customer_id"),
        ({"idempotency_key": "k" * 300}, "validation_error", "idempotency_key"),
        ({"expected_total": "1e5"}, "validation_error", "expected_total"),
        ({"wait_ms": -1}, "validation_error", "wait_ms"),
        ({"items": [{"sku": "NO-SUCH-SKU", "quantity": 1}]}, "unknown_sku", None),
        ({"currency": "EUR"}, "currency_mismatch", None),
    ],
)
def test_a_bad_order_is_refused_with_the_name_of_what_is_bad(
    shop: Shop, more: dict[str, Any], code: str, field: str | None
) -> None:
    body = an_order("A") | more
    if field is None and "items" not in more:
        body["items"] = [{"sku": shop.stock("fine", 1), "quantity": 1}]

    refused = shop.call("POST", "/orders", body)

    assert (refused.status, refused.body["error_code"]) == (422, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert field is None or field in refused.body["errors"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/orders/0190b6b2-0000-7000-8000-000000000000", 404), ("/orders/1%20OR%201=1", 422), ("/orders/%00", 422),
        ("/orders?page_token=garbage", 422), ("/orders?page_size=101", 422), ("/orders?status=NOPE", 422),
        ("/products/none", 404), ("/inventory/none", 404), ("/imports/0190b6b2-0000-7000-8000-000000000000", 404),
        ("/imports/0190b6b2-0000-7000-8000-000000000000/rejects", 404), ("/kpis/daily?date=yesterday", 422),
        ("/supplier-orders/0190b6b2-0000-7000-8000-000000000000", 404),
        ("/orders/0190b6b2-0000-7000-8000-000000000000/timeline", 404),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused_and_never_a_bug(shop: Shop, path: str, status: int) -> None:
    refused = shop.call("GET", path)

    assert (refused.status, refused.body["status"]) == (status, status)


def test_every_service_answers_over_rest(shop: Shop) -> None:
    for path in ("/orders", "/products", "/supplier-orders", "/imports", "/kpis/daily", "/operations/dead-letters"):
        assert shop.call("GET", path).status == 200, path
    health = until(lambda: (found := shop.call("GET", "/health")).status == 200 and found)
    assert health
    assert health.body["services"]["payments"] == "serving"


def test_pages_cover_a_list_once(shop: Shop) -> None:
    sku, customer = shop.stock("listed", 100), uuid.uuid4().hex
    placed = {shop.place([(sku, 1)], customer_id=customer).data["id"] for _ in range(7)}

    found: list[str] = []
    page = shop.call("GET", f"/orders?customer_id={customer}&page_size=3")
    found += [order["id"] for order in page.data]
    while token := page.body["meta"]["next_page_token"]:
        page = shop.call("GET", f"/orders?customer_id={customer}&page_size=3&page_token={token}")
        found += [order["id"] for order in page.data]

    assert (len(found), set(found)) == (7, placed)
    assert found == sorted(found, reverse=True)


def test_a_file_is_imported_over_rest_and_tells_its_rejects(stack: Stack, shop: Shop) -> None:
    sku, run = shop.stock("imported", 2), uuid.uuid4().hex[:6]
    url = f"http://127.0.0.1:{8080 + stack.place.port_offset}/api/v1/imports"
    file = FILE.format(run=run, sku=sku)

    taken = httpx.post(url, files={"file": (f"shop-{run}.csv", file, "text/csv")})
    import_id = taken.json()["data"]["id"]
    done = until(lambda: (found := shop.call("GET", f"/imports/{import_id}").data)["status"] == "DONE" and found)

    assert (taken.status_code, taken.json()["data"]["source"]) == (202, f"shop-{run}")
    assert done, shop.call("GET", f"/imports/{import_id}").data
    assert (done["orders"], done["rejected_orders"], done["orders_by_status"]) == (1, 1, {"COMPLETED": 1})
    rejects = httpx.get(f"{url}/{import_id}/rejects")
    assert rejects.headers["content-type"].startswith("text/csv")
    assert rejects.text.splitlines()[1].startswith(f"3,{run}2,")


def test_a_restart_of_the_gateway_loses_no_order_of_a_client_that_asks_again(stack: Stack, shop: Shop) -> None:
    sku = shop.stock("restarted", 1_000)
    is_over = threading.Event()
    placed: list[str] = []

    def go_on_placing(index: int) -> None:
        while not is_over.is_set():
            placed.append(shop.place_stubbornly([(sku, 1)]))

    with ThreadPoolExecutor(4) as pool:
        placing = [pool.submit(go_on_placing, index) for index in range(4)]
        try:
            for service in ("gateway", "order_service"):
                before = len(placed)
                stack.take_down(service)
                stack.bring_up(service)
                assert until(partial(has_more_than, placed, before + 10))
        finally:
            is_over.set()
        for done in placing:
            done.result()

    ended = Counter(shop.comes_to(order_id, "COMPLETED", seconds=60)["status"] for order_id in placed)
    assert ended == {"COMPLETED": len(placed)}
    assert len(set(placed)) == len(placed)
    assert until(lambda: on_the_shelf(shop, sku) == (1_000 - len(placed), 0, 1_000 - len(placed)))


def has_more_than(placed: list[str], count: int) -> bool:
    return len(placed) > count


def an_order(sku: str) -> dict[str, Any]:
    return {"customer_id": "c-1", "idempotency_key": uuid.uuid4().hex, "items": [{"sku": sku, "quantity": 2}]}


def on_the_shelf(shop: Shop, sku: str) -> tuple[int, int, int]:
    stock = shop.call("GET", f"/inventory/{sku}").data
    return stock["on_hand"], stock["reserved"], stock["available"]
