"""One trace from a REST request to the last event of its order, at a collector that is a test's own."""

import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from deploy.local import Stack, temporary_state
from tests.collector import Collector, Taken
from tests.end_to_end.shop import Shop
from tests.waiting import until

CALLER = "00f067aa0ba902b7"
"""The span of whoever asks, in its own system."""
CHAIN = (
    ("gateway", "POST /api/v1/orders"),
    ("orders", "PlaceOrder"),
    ("inventory", "apply OrderPlaced"),
    ("orders", "apply StockReserved"),
    ("payments", "apply PaymentRequested"),
    ("payments", "call charge"),
    ("orders", "apply PaymentCaptured"),
    ("inventory", "apply OrderCompleted"),
)
"""What follows from what."""
SENT = {
    ("orders", "send to orders.events"), ("inventory", "send to inventory.events"),
    ("orders", "send to payments.requests"), ("payments", "send to payments.events"),
}  # fmt: skip
BATCHES = {
    ("gateway", "batch of orders"), ("orders", "writer batch"), ("orders", "relay round"),
    ("inventory", "inventory batch"), ("orders", "orders batch"), ("payments", "payments batch"),
    ("payments", "payments.calls record"),
}  # fmt: skip


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[Stack]:
    with temporary_state() as state, Stack(state, environment={"OTLP_ENDPOINT": collector.url}) as running:
        yield running


@pytest.fixture(scope="module")
def sku(traced: Stack) -> str:
    return Shop(traced).stock("lantern", 1_000)


def placed(stack: Stack, sku: str, flags: str) -> str:
    """An order of somebody who has a trace of their own; its trace id, when it is completed."""
    shop, trace_id = Shop(stack), uuid.uuid4().hex
    headers = {"Idempotency-Key": trace_id, "traceparent": f"00-{trace_id}-{CALLER}-{flags}"}
    answer = shop.call("POST", "/orders", {"customer_id": "c-1", "items": [{"sku": sku, "quantity": 1}]}, headers)
    assert answer.status == 201, answer
    assert answer.headers["x-trace-id"] == trace_id
    order = answer.data["id"]
    assert until(lambda: shop.call("GET", f"/orders/{order}").data["status"] == "COMPLETED", seconds=60)
    return trace_id


def of_name(spans: list[Taken], service: str, name: str) -> Taken:
    return next(span for span in spans if (span.service, span.name) == (service, name))


@pytest.fixture(scope="module")
def trace(traced: Stack, collector: Collector, sku: str) -> str:
    """A trace of which all has arrived."""
    trace_id = placed(traced, sku, "01")
    wanted = {*CHAIN, *SENT}
    assert until(lambda: wanted <= {(span.service, span.name) for span in collector.of_trace(trace_id)}, seconds=60), {
        (span.service, span.name) for span in collector.of_trace(trace_id)
    }
    return trace_id


def test_a_sampled_request_is_one_trace_through_every_service_to_the_last_event(
    trace: str, collector: Collector
) -> None:
    spans = {span.span_id: span for span in collector.of_trace(trace)}
    way = [of_name(list(spans.values()), *CHAIN[-1])]

    while (parent := spans.get(way[-1].parent_id)) is not None:
        way.append(parent)

    assert tuple((span.service, span.name) for span in reversed(way)) == CHAIN
    assert way[-1].parent_id == CALLER
    assert all(0 <= span.seconds < 30 and not span.is_error for span in way)


def test_every_step_is_sent_under_the_step_that_told_of_it(trace: str, collector: Collector) -> None:
    spans = collector.of_trace(trace)
    ids = {span.span_id for span in spans}

    for service, name in SENT:
        assert of_name(spans, service, name).parent_id in ids
    assert len(ids) == len(spans)


def test_batches_have_traces_of_their_own_that_link_to_what_they_served_and_back(
    trace: str, collector: Collector
) -> None:
    assert until(lambda: {(span.service, span.name) for span in collector.linked_to(trace)} >= BATCHES, seconds=30), {
        (span.service, span.name) for span in collector.linked_to(trace)
    }

    spans = collector.of_trace(trace)
    places = {span.place for span in spans}
    batches = {span.place: span for span in collector.linked_to(trace)}
    for batch in batches.values():
        assert batch.links <= places
        assert batch.trace_id != trace
    applied = of_name(spans, "inventory", "apply OrderPlaced")
    (place,) = applied.links
    assert batches[place].name == "inventory batch"
    (back,) = of_name(spans, "orders", "PlaceOrder").links
    assert batches[back].name == "writer batch"


def test_a_request_that_its_caller_does_not_sample_leaves_no_span(
    trace: str, traced: Stack, collector: Collector, sku: str
) -> None:
    silent, told = placed(traced, sku, "00"), placed(traced, sku, "01")

    # What came later is there, so what came before it would be.
    last = ("inventory", "apply OrderCompleted")
    assert until(lambda: last in {(span.service, span.name) for span in collector.of_trace(told)}, seconds=60)
    assert collector.of_trace(silent) == []


def test_orders_flow_while_the_collector_is_away_and_what_it_missed_is_counted(
    trace: str, traced: Stack, collector: Collector, sku: str
) -> None:
    collector.stop()

    for _ in range(3):
        placed(traced, sku, "01")

    assert until(lambda: counted(traced, "orders", "failed") > 0, seconds=60)
    assert counted(traced, "orders", "sent") > 0


def counted(stack: Stack, context: str, outcome: str) -> float:
    """The spans of a service that came to this end."""
    with urllib.request.urlopen(f"http://{stack.place.address(f'{context} metrics')}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    wanted = f'{context}_spans_total{{outcome="{outcome}"}} '
    return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)
