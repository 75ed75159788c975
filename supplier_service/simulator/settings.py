"""What the simulated suppliers can be told when they are a process of their own."""

from typing import Literal

from pydantic import Field

from chassis.settings import DatabaseUrl
from chassis.simulation.process import SimulatorSettings
from supplier_service.simulator.scenarios import Chances, chances_of


class SuppliersSimulatorSettings(SimulatorSettings):
    """The settings of the simulated suppliers, beside those of every simulated party."""

    suppliers_simulator_database_url: DatabaseUrl = Field(
        repr=False, description="Postgres of the simulated suppliers' books, as a role of its own"
    )
    supplier_webhook_secret: str = Field(
        default="", repr=False, max_length=1_024, description="what webhooks are signed with; empty: none are sent"
    )
    supplier_token: str = Field(
        default="", repr=False, max_length=1_024, description="what callers must show; empty: nothing"
    )
    simulation: Literal["calm", "lifelike"] = Field(
        default="calm", description="what is left to chance: succeed at once, or be late and fail as real suppliers do"
    )

    @property
    def chances(self) -> Chances:
        """What is left to chance."""
        return chances_of(self.simulation, self.simulation_seed)
