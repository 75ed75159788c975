"""Which requests are traced: those whose caller says so, and of the others as many as were set."""

import pytest

from chassis import tracing
from chassis.telemetry.spans import Ended, Spans
from gateway.rest.requests import Message, Request
from gateway.rest.sampling import Sampling

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept:
    def __init__(self) -> None:
        self.spans: list[Ended] = []

    def take(self, ended: Ended) -> None:
        self.spans.append(ended)

    def close(self) -> None:
        """Nothing is open."""


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def asked(**headers: str) -> Request:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"path": "/", "query_string": b"", "headers": told}, nothing)


def test_a_sampled_callers_span_is_the_parent_of_ours_which_travels_on() -> None:
    kept = Kept()
    sampling = Sampling(Spans(kept), 0.0)
    request = asked(traceparent=SAMPLED)

    span = sampling.begin(request)
    assert span is not None
    sampling.end(span, "/api/v1/orders", "POST", 503)

    assert span.parent == SAMPLED
    assert request.traceparent == span.traceparent != SAMPLED
    (ended,) = kept.spans
    assert (ended.name, ended.error) == ("POST /api/v1/orders", "503")
    assert ended.attributes["http.response.status_code"] == 503


def test_a_caller_who_does_not_sample_is_never_sampled_here() -> None:
    request = asked(traceparent=SAMPLED[:53] + "00")

    assert Sampling(Spans(Kept()), 1.0).begin(request) is None
    assert request.traceparent == SAMPLED[:53] + "00"


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}, {"x_trace_id": tracing.trace_id_of(SAMPLED)}])
def test_of_those_without_a_traceparent_as_many_as_were_set_begin_a_trace(headers: dict[str, str]) -> None:
    request = asked(**headers)
    span = Sampling(Spans(Kept()), 1.0).begin(request)

    assert span is not None
    assert span.parent == ""
    assert tracing.is_sampled(request.traceparent)
    assert Sampling(Spans(Kept()), 0.0).begin(asked(**headers)) is None


def test_one_in_a_hundred_is_about_one_in_a_hundred() -> None:
    sampling = Sampling(Spans(Kept()), 0.01)

    assert 100 < sum(sampling.begin(asked()) is not None for _ in range(20_000)) < 320
