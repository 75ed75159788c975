"""What the simulated provider can be told from outside, when it runs as a process of its own."""

from typing import Literal

from pydantic import Field

from chassis.settings import DatabaseUrl
from chassis.simulation.process import SimulatorSettings
from payment_service.simulator.scenarios import Chances, chances_of


class ProviderSettings(SimulatorSettings):
    """The settings of the provider, beside those of every simulated party."""

    payments_simulator_database_url: DatabaseUrl = Field(
        repr=False, description="Postgres of its books, as a role of its own; payment_service --migrate makes them"
    )
    payment_webhook_secret: str = Field(
        default="", repr=False, max_length=1_024, description="what it signs its webhooks with; empty: it sends none"
    )
    payment_provider_token: str = Field(
        default="", repr=False, max_length=1_024, description="what callers must show; empty: nothing"
    )
    simulation: Literal["calm", "lifelike"] = Field(
        default="calm", description="what sim_random does: succeed at once, or 80 % of payments in 50-200 ms"
    )
    simulation_success_percent: int | None = Field(
        default=None, ge=0, le=100, description="% of payments by sim_random that succeed; default by SIMULATION"
    )

    @property
    def chances(self) -> Chances:
        """What it leaves to chance."""
        return chances_of(self.simulation, self.simulation_success_percent, self.simulation_seed)
