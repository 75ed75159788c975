"""What the supplier service can be told from outside."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chassis.outside import Limits
from chassis.settings import SIMULATOR_PORTS, DatabaseUrl, ServiceSettings, http_url, simulators, unit
from chassis.webhooks import long_enough
from supplier_service.domain import Policy
from supplier_service.simulator.scenarios import Chances, chances_of


class SupplierSettings(ServiceSettings):
    """The settings of suppliers, beside those of every service."""

    suppliers_database_url: DatabaseUrl = Field(repr=False, description="Postgres of suppliers, as its own role")
    suppliers_simulator_database_url: DatabaseUrl = Field(
        repr=False, description="Postgres of the simulated suppliers' books, as a role of its own"
    )
    supplier_check_seconds: float = Field(
        default=15, gt=0, le=86_400, json_schema_extra=unit("s"),
        description="pause before a supplier order is first checked; then doubling",
    )  # fmt: skip
    supplier_max_delayed_checks: int = Field(
        default=2, ge=0, le=1_000, description="delayed answers that are borne; the next one fails the supplier order"
    )
    supplier_deadline_seconds: float = Field(
        default=86_400, gt=0, le=31_536_000, json_schema_extra=unit("s"),
        description="age at which a supplier order that has no end yet has failed",
    )  # fmt: skip
    supplier_timeout_seconds: float = Field(
        default=10, gt=0, le=300, json_schema_extra=unit("s"), description="no answer of a supplier for so long is none"
    )
    supplier_in_flight: int = Field(
        default=32, ge=1, le=10_000, json_schema_extra=unit("calls"), description="questions to suppliers at once"
    )
    supplier_webhook_secret: Annotated[str, AfterValidator(long_enough)] = Field(
        default="", repr=False, max_length=1_024,
        description="what suppliers sign their webhooks with; at least 16 characters; empty: none are taken",
    )  # fmt: skip
    simulators: Literal["inprocess", "http"] = simulators()
    supplier_url: Annotated[str, AfterValidator(http_url)] = Field(
        default="",
        description="the suppliers that SIMULATORS=http asks; default http://127.0.0.1:8082, port + PORT_OFFSET",
    )
    supplier_token: str = Field(
        default="", repr=False, max_length=1_024, description="what is shown to those suppliers; empty: nothing"
    )
    simulation: Literal["calm", "lifelike"] = Field(
        default="calm", description="what is left to chance: succeed at once, or fail as real suppliers do"
    )
    simulation_seed: int = Field(default=1, ge=0, description="seed of what the simulated world leaves to chance")

    @property
    def policy(self) -> Policy:
        """How long and how often a supplier is asked."""
        return Policy(
            check=timedelta(seconds=self.supplier_check_seconds),
            max_delayed=self.supplier_max_delayed_checks,
            deadline=timedelta(seconds=self.supplier_deadline_seconds),
        )

    @property
    def chances(self) -> Chances:
        """What the simulated suppliers leave to chance."""
        return chances_of(self.simulation, self.simulation_seed)

    @property
    def supplier_address(self) -> str:
        """Where suppliers are asked over HTTP."""
        return self.supplier_url or f"http://127.0.0.1:{SIMULATOR_PORTS['suppliers'] + self.port_offset}"

    @property
    def limits(self) -> Limits:
        """How much of suppliers over HTTP is borne."""
        return Limits(self.supplier_timeout_seconds, self.supplier_in_flight)
