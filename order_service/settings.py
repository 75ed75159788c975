"""What the order service can be told from outside."""

from typing import Literal

from pydantic import Field

from chassis.settings import DatabaseUrl, ServiceSettings, unit


class OrderSettings(ServiceSettings):
    """The settings of orders, beside those of every service."""

    orders_database_url: DatabaseUrl = Field(repr=False, description="Postgres of orders, as its own role")
    currency: str = Field(
        default="GBP", pattern="^[A-Z]{3}$", description="the one currency of this installation, ISO 4217"
    )
    simulation: Literal["calm", "lifelike"] = Field(
        default="calm", description="how orders are paid that do not say so: by sim_ok, or by sim_random"
    )
    max_waiting: int = Field(
        default=10_000, ge=0, le=1_000_000, json_schema_extra=unit("orders"),
        description="orders whose decision callers wait for at once; more are refused as UNAVAILABLE",
    )  # fmt: skip
    max_watching: int = Field(
        default=20_000, ge=1, le=1_000_000, json_schema_extra=unit("watches"),
        description="orders and customers watched at once by one instance; more are refused as UNAVAILABLE",
    )  # fmt: skip
    import_max_bytes: int = Field(
        default=2_000_000_000, ge=1, le=100_000_000_000, json_schema_extra=unit("bytes"),
        description="the largest file that is imported, unpacked",
    )  # fmt: skip
    import_in_flight: int = Field(
        default=300, ge=1, le=100_000, json_schema_extra=unit("orders"),
        description="orders of an import that may be unfinished at once",
    )  # fmt: skip

    @property
    def default_payment_method(self) -> str:
        """How an order is paid that does not say so."""
        return "sim_random" if self.simulation == "lifelike" else "sim_ok"
