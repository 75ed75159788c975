"""What the gateway can be told from outside, beside what every process can."""

import re
from typing import Final

from pydantic import Field, field_validator

from chassis.settings import ServiceSettings, unit

REST_PORT: Final = 8080
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.IGNORECASE)


class GatewaySettings(ServiceSettings):
    """The gateway keeps nothing: of the common settings it uses addresses, ports and the log level."""

    rest_port: int = Field(default=0, ge=0, le=65_535, description="port of REST; default 8080 + PORT_OFFSET")
    gateway_deadline_seconds: float = Field(
        default=15.0, ge=0.1, le=300, json_schema_extra=unit("s"),
        description="how long a service may take over a call, beside the wait that a client asks for",
    )  # fmt: skip
    gateway_batches_in_flight: int = Field(
        default=2, ge=1, le=100, json_schema_extra=unit("batches"),
        description="batches of orders being stored at one time, while the next one fills",
    )  # fmt: skip
    gateway_batch_orders: int = Field(
        default=200, ge=1, le=1000, json_schema_extra=unit("orders"), description="orders in one batch"
    )
    gateway_max_waiting: int = Field(
        default=10_000, ge=1, le=1_000_000, json_schema_extra=unit("requests"),
        description="orders without an answer beyond which new ones are refused with 503",
    )  # fmt: skip
    gateway_max_watching: int = Field(
        default=20_000, ge=1, le=1_000_000, json_schema_extra=unit("clients"),
        description="clients that watch orders at once, beyond which new ones are refused with 503",
    )  # fmt: skip
    gateway_compress_bytes: int = Field(
        default=2_048, ge=0, le=1 << 30, json_schema_extra=unit("bytes"),
        description="what is read is compressed from this size on, for those who take gzip; 0: never",
    )  # fmt: skip
    cors_origins: str = Field(
        default="", max_length=10_000,
        description="web origins whose pages may call this gateway, with commas between; *: all; empty: none",
    )  # fmt: skip

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str) -> str:
        """An origin is scheme, host and port, and nothing behind them."""
        origins = [origin.strip() for origin in text.split(",") if origin.strip()]
        if any(origin != "*" and not _ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("must be origins like https://shop.example, with commas between, or *")
        return ",".join(origins)

    gateway_max_requests: int = Field(
        default=12_000, ge=1, le=1_000_000, json_schema_extra=unit("requests"),
        description="requests without an answer, of every kind, beyond which new ones are refused with 503",
    )  # fmt: skip
    gateway_queue_seconds: float = Field(
        default=2.0, gt=0, le=300, json_schema_extra=unit("s"),
        description="how long orders may wait to be handed on; while they wait longer, new ones are refused with 503",
    )  # fmt: skip

    @property
    def port(self) -> int:
        """Where REST answers."""
        return self.rest_port or REST_PORT + self.port_offset
