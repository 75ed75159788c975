"""Metrics under the context's name."""

from prometheus_client import REGISTRY

from chassis.metrics import ConsumerMetrics, OutboxMetrics, counter, gauge, histogram


def test_a_metric_asked_for_again_is_the_same_one() -> None:
    assert counter("metrics_a", "things", "Things", "kind") is counter("metrics_a", "things", "Things", "kind")
    assert gauge("metrics_a", "depth", "Depth") is gauge("metrics_a", "depth", "Depth")
    assert histogram("metrics_a", "seconds", "Time") is histogram("metrics_a", "seconds", "Time")


def test_every_fate_of_events_is_there_from_the_start_and_adds_up() -> None:
    metrics = ConsumerMetrics("metrics_b", "inventory")
    metrics.received(6)
    for fate, times in (("applied", 3), ("duplicate", 2), ("ignored", 1)):
        metrics.fate(fate, times)

    def events(fate: str) -> float | None:
        return REGISTRY.get_sample_value("metrics_b_consumer_events_total", {"consumer": "inventory", "fate": fate})

    assert [events(fate) for fate in ("applied", "duplicate", "ignored", "parked")] == [3, 2, 1, 0]
    assert REGISTRY.get_sample_value("metrics_b_consumer_received_total", {"consumer": "inventory"}) == 6


def test_the_lag_of_partitions_that_another_reads_now_is_told_no_more() -> None:
    metrics = ConsumerMetrics("metrics_d", "orders")
    here = {"consumer": "orders", "topic": "orders.events", "partition": "3"}
    metrics.lag("orders.events", 3, 700)
    assert REGISTRY.get_sample_value("metrics_d_consumer_lag", here) == 700

    metrics.forget_lag()

    assert REGISTRY.get_sample_value("metrics_d_consumer_lag", here) is None


def test_the_outbox_tells_depth_and_age() -> None:
    metrics = OutboxMetrics("metrics_c")
    metrics.round(20)
    metrics.backlog(7, 1.5)

    assert REGISTRY.get_sample_value("metrics_c_outbox_relayed_total") == 20
    assert REGISTRY.get_sample_value("metrics_c_outbox_depth") == 7
    assert REGISTRY.get_sample_value("metrics_c_outbox_age_seconds") == 1.5
