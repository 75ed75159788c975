"""What the payment service can be told from outside."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import NoDecode

from chassis.outside import Limits
from chassis.settings import SIMULATOR_PORTS, DatabaseUrl, ServiceSettings, http_url, simulators, unit
from chassis.webhooks import long_enough
from payment_service.domain import Policy
from payment_service.simulator.scenarios import Chances, chances_of

_SOONER: Final = 0.98


class PaymentSettings(ServiceSettings):
    """The settings of payments, beside those of every service."""

    payments_database_url: DatabaseUrl = Field(repr=False, description="Postgres of payments, as its own role")
    payments_simulator_database_url: DatabaseUrl = Field(
        repr=False, description="Postgres of the simulated provider's books, as a role of its own"
    )
    simulators: Literal["inprocess", "http"] = simulators()
    payment_provider_url: Annotated[str, AfterValidator(http_url)] = Field(
        default="",
        description="the provider that SIMULATORS=http asks; default http://127.0.0.1:8081, port + PORT_OFFSET",
    )
    payment_provider_token: str = Field(
        default="", repr=False, max_length=1_024, description="what is shown to that provider; empty: nothing"
    )
    payment_in_flight: int = Field(
        default=64, ge=1, le=10_000, json_schema_extra=unit("calls"), description="questions to the provider at once"
    )
    payment_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=300,
        json_schema_extra=unit("s"),
        description="no answer of the provider for so long is none",
    )
    payment_attempts: int = Field(
        default=3, ge=1, le=100, description="sends of a charge that error answers may use up, before it is unknown"
    )
    payment_key_seconds: int = Field(
        default=72_000, ge=1, le=31_536_000, json_schema_extra=unit("s"),
        description="age up to which a charge may be sent again under its key",
    )  # fmt: skip
    payment_unknown_schedule: Annotated[tuple[float, ...], NoDecode] = Field(
        default=(5, 30, 300, 3_600, 86_400), json_schema_extra=unit("s"),
        description="pauses before an unknown payment is asked for; then daily",
    )  # fmt: skip
    payment_webhook_secret: Annotated[str, AfterValidator(long_enough)] = Field(
        default="", repr=False, max_length=1_024,
        description="what the provider signs its webhooks with; at least 16 characters; empty: none are taken",
    )  # fmt: skip
    reconcile_seconds: float = Field(
        default=300, gt=0, le=604_800, json_schema_extra=unit("s"),
        description="how often the provider's books are compared with ours",
    )  # fmt: skip
    reconcile_grace_seconds: float = Field(
        default=60, ge=0, le=86_400, json_schema_extra=unit("s"),
        description="how long a difference of the books must last to be told",
    )  # fmt: skip
    simulation: Literal["calm", "lifelike"] = Field(
        default="calm", description="what sim_random does: succeed at once, or 80 % of payments in 50-200 ms"
    )
    simulation_seed: int = Field(default=1, ge=0, description="seed of what the simulated world leaves to chance")
    simulation_success_percent: int | None = Field(
        default=None, ge=0, le=100, json_schema_extra=unit("%"),
        description="payments by sim_random that succeed; default by SIMULATION",
    )  # fmt: skip

    @field_validator("payment_unknown_schedule", mode="before")
    @classmethod
    def _some_seconds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        seconds = tuple(float(part) for part in value.split(","))
        if not all(0 < pause <= 31_536_000 for pause in seconds):
            raise ValueError("must be seconds, each more than 0, separated by commas")
        return seconds

    @property
    def provider_url(self) -> str:
        """Where the provider is asked over HTTP."""
        return self.payment_provider_url or f"http://127.0.0.1:{SIMULATOR_PORTS['payments'] + self.port_offset}"

    @property
    def limits(self) -> Limits:
        """How much of a provider over HTTP is borne.

        It is given up a little sooner than by whoever asks, who could not tell whether anything was sent.
        """
        return Limits(self.payment_timeout_seconds * _SOONER, self.payment_in_flight)

    @property
    def policy(self) -> Policy:
        """How long and how often the provider is asked."""
        return Policy(
            timeout=timedelta(seconds=self.payment_timeout_seconds),
            attempts=self.payment_attempts,
            key_age=timedelta(seconds=self.payment_key_seconds),
            unknown_schedule=tuple(timedelta(seconds=pause) for pause in self.payment_unknown_schedule),
        )

    @property
    def chances(self) -> Chances:
        """What the simulated provider leaves to chance."""
        return chances_of(self.simulation, self.simulation_success_percent, self.simulation_seed)
