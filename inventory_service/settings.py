"""What the inventory service can be told from outside."""

from typing import Annotated

from pydantic import Field, StringConstraints

from chassis.settings import DatabaseUrl, ServiceSettings, unit


class InventorySettings(ServiceSettings):
    """The settings of inventory, beside those of every service."""

    inventory_database_url: DatabaseUrl = Field(repr=False, description="Postgres of inventory, as its own role")
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] = Field(
        default="GBP", description="ISO 4217; the one currency of this installation"
    )
    reservation_seconds: int = Field(
        default=600, ge=1, le=31_536_000, json_schema_extra=unit("s"),
        description="how long stock is held for an order that is not paid, and at most for a caller of ReserveStock",
    )  # fmt: skip
    lock_wait_ms: int = Field(
        default=500, ge=0, le=30_000, json_schema_extra=unit("ms"),
        description="how long ReserveStock waits for the lock of others at the same SKUs",
    )  # fmt: skip
    sweep_seconds: float = Field(
        default=1.0, ge=0.05, le=3_600, json_schema_extra=unit("s"),
        description="how often reservations of callers whose time is over are freed",
    )  # fmt: skip
    ledger_check_seconds: float = Field(
        default=30.0, ge=0.05, le=86_400, json_schema_extra=unit("s"),
        description="how often the movements are added up and compared with the balances",
    )  # fmt: skip
