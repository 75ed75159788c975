"""What a process is told about traces."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

_HIGHEST_PORT: Final = 65_535


def _otlp_endpoint(url: str) -> str:
    parts = urlsplit(url)
    is_whole = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.query)
    if url and not (is_whole and 0 < (parts.port or 4317) <= _HIGHEST_PORT and parts.path in ("", "/")):
        raise ValueError("must be http://host:port or https://host:port, of OTLP over gRPC")
    return url.rstrip("/")


class TelemetrySettings(BaseSettings):
    """The settings of traces, common to the gateway and all services."""

    otlp_endpoint: Annotated[str, AfterValidator(_otlp_endpoint)] = Field(
        default="", description="where spans are sent, OTLP over gRPC: http://host:4317; empty: there are none"
    )
    traces_sample_ratio: float = Field(
        default=0.0, ge=0, le=1, validate_default=True,
        description="share of the requests without a traceparent that the gateway traces; needs OTLP_ENDPOINT",
    )  # fmt: skip

    @field_validator("traces_sample_ratio")
    @classmethod
    def _needs_a_place(cls, ratio: float, info: ValidationInfo) -> float:
        if ratio and info.data.get("otlp_endpoint") == "":
            raise ValueError("needs OTLP_ENDPOINT")
        return ratio
