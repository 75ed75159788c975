"""Spans take their place from the traceparent, and give theirs to what comes after."""

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from chassis import tracing
from chassis.telemetry.spans import Ended, Kind, Spans, told_in, with_traceparent

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SILENT = SAMPLED[:53] + "00"


@dataclass
class Kept:
    """A sink that keeps what it is given."""

    spans: list[Ended] = field(default_factory=list)
    is_closed: bool = False

    def take(self, ended: Ended) -> None:
        self.spans.append(ended)

    def close(self) -> None:
        self.is_closed = True


def test_a_span_is_of_the_same_trace_under_an_id_of_its_own() -> None:
    kept = Kept()
    spans = Spans(kept)
    span = spans.begin(SAMPLED)

    spans.end(span, "work", Kind.SERVER, {"size": 1}, error="Broken")

    (ended,) = kept.spans
    assert tracing.trace_id_of(span.traceparent) == tracing.trace_id_of(SAMPLED)
    assert tracing.is_sampled(span.traceparent)
    assert span.traceparent != SAMPLED == span.parent
    assert (ended.name, ended.kind, ended.attributes, ended.error) == ("work", Kind.SERVER, {"size": 1}, "Broken")
    assert ended.ended_ns >= span.began_ns


@pytest.mark.parametrize("traceparent", [SILENT, "", "nonsense", "z" * 54 + "1", SAMPLED[:54]])
def test_what_is_not_sampled_has_no_span(traceparent: str) -> None:
    assert Spans(Kept()).begin_if_sampled(traceparent) is None


def test_a_batch_is_a_trace_of_its_own_with_links_to_the_sampled_ones_and_back() -> None:
    kept = Kept()
    batch = Spans(kept).batch("batch", Kind.CONSUMER)

    joined = batch.join(SAMPLED, "one of them", {"key": "a"})
    assert batch.join(SILENT, "another") is SILENT
    batch.end({"batch.size": 2})

    one, whole = kept.spans
    assert (one.name, one.span.traceparent, one.span.parent) == ("one of them", joined, SAMPLED)
    assert (whole.name, whole.span.parent, whole.attributes) == ("batch", "", {"batch.size": 2})
    assert whole.links == [joined]
    assert one.links == (whole.span.traceparent,)
    assert tracing.trace_id_of(whole.span.traceparent) != tracing.trace_id_of(SAMPLED)


def test_a_batch_of_which_nobody_looks_at_any_leaves_nothing() -> None:
    kept = Kept()
    batch = Spans(kept).batch("batch")

    batch.link(SILENT)
    batch.join(SILENT, "one")
    batch.end()

    assert not batch.is_told
    assert kept.spans == []


def test_a_batch_that_only_serves_links_to_spans_elsewhere() -> None:
    kept = Kept()
    batch = Spans(kept).batch("batch")
    batch.link(SAMPLED)
    batch.end()

    assert [ended.links for ended in kept.spans] == [[SAMPLED]]


class Asked(NamedTuple):
    order: str
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    order: str
    traceparent: str


class Without(NamedTuple):
    order: str


def test_commands_of_either_kind_go_on_in_another_place_of_their_trace() -> None:
    assert with_traceparent(Asked("o", SILENT), SAMPLED) == Asked("o", SAMPLED)
    assert with_traceparent(Told("o", SILENT), SAMPLED) == Told("o", SAMPLED)
    assert told_in(Without("o")) == ""


def test_the_end_of_a_process_closes_what_its_spans_go_to() -> None:
    kept = Kept()

    Spans(kept).close()

    assert kept.is_closed
