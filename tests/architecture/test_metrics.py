"""Metrics are named by one rule, and docs/metrics.md tells of each."""

import pytest

from tests.architecture.metrics import PAGE, Metric, complaints, contradictions, declared, page
from tests.architecture.sources import parsed


def test_every_metric_is_named_as_prometheus_names_them() -> None:
    metrics = declared()
    found = [sentence for metric in metrics for sentence in complaints(metric)]
    assert not [*found, *contradictions(metrics)], "\n".join(found)


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(declared()), "python -m tests.architecture.metrics writes it anew"


def a_metric(line: str) -> Metric:
    (metric,) = declared([parsed("order_service/jobs.py", line)])
    return metric


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('gauge(CONTEXT, "waiting_total", "Orders that wait")', "only a counter"),
        ('gauge(CONTEXT, "waiting_ms", "Orders that wait")', "base unit: ms"),
        ('gauge(CONTEXT, "waiting", "Age of the oldest")', "does not say seconds"),
        ('gauge(CONTEXT, "seconds_waited", "Waited by the oldest")', "in the middle"),
        ('gauge(CONTEXT, "waiting_gauge", "Orders that wait")', "repeats its type"),
        ('gauge(CONTEXT, "Waiting", "Orders that wait")', "snake_case"),
        ('gauge(CONTEXT, NAME, "Orders that wait")', "written out"),
        ('gauge(CONTEXT, "waiting", "orders that wait")', "needs a meaning"),
        ('gauge(CONTEXT, "waiting", ABOUT)', "needs a meaning"),
        ('histogram(CONTEXT, "batch", "Orders in a batch")', "what it counts"),
        ('histogram(CONTEXT, "took_seconds", "Time of a batch")', "not called duration"),
        ('counter(CONTEXT, "placed", "Orders placed", "customer_id")', "without bounds: customer_id"),
        ('counter(CONTEXT, "placed", "Orders placed", "le")', "reserved: le"),
    ],
)
def test_a_name_against_the_rules_is_found(line: str, wrong: str) -> None:
    assert wrong in "\n".join(complaints(a_metric(line)))


def test_two_metrics_of_one_name_are_found() -> None:
    lines = 'gauge(CONTEXT, "waiting", "Orders that wait")\ngauge(CONTEXT, "waiting", "Orders that wait", "status")'
    assert list(contradictions(declared([parsed("order_service/jobs.py", lines)])))


def test_a_counter_is_scraped_with_its_suffix_once() -> None:
    assert a_metric('counter(CONTEXT, "total", "Orders by status")').full_name == "orders_total"
    assert a_metric('counter(CONTEXT, "placed", "Orders placed")').full_name == "orders_placed_total"
