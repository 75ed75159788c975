"""What TRACES_SAMPLE_RATIO and OTLP_ENDPOINT may say."""

import pytest
from pydantic import ValidationError

from chassis.settings import refusals
from chassis.telemetry.settings import TelemetrySettings


def refused(**told: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TelemetrySettings.model_validate(told)
    return refusals(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4317", "https://collector.example:4317/", "http://collector:4317"])
def test_a_collector_is_named_by_scheme_host_and_port(url: str) -> None:
    assert TelemetrySettings.model_validate({"otlp_endpoint": url}).otlp_endpoint == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["collector:4317", "ftp://collector:4317", "http://", "http://collector:4317/v1/traces", "http://a:b@c:1"]
)
def test_anything_else_is_refused_by_name(url: str) -> None:
    (line,) = refused(otlp_endpoint=url)
    assert line.startswith("OTLP_ENDPOINT: must be http://host:port")
    assert "a:b" not in line


def test_sampling_without_a_place_to_send_to_is_refused_by_name() -> None:
    assert refused(traces_sample_ratio="0.01") == ["TRACES_SAMPLE_RATIO: needs OTLP_ENDPOINT"]


@pytest.mark.parametrize("ratio", ["-0.1", "1.5", "nan", "much"])
def test_a_ratio_is_between_0_and_1(ratio: str) -> None:
    (line,) = refused(otlp_endpoint="http://collector:4317", traces_sample_ratio=ratio)
    assert line.startswith("TRACES_SAMPLE_RATIO: ")
