"""What a process is told about rate limits."""

from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from chassis.access.settings import AccessSettings

_REQUESTS: Final[dict[str, Any]] = {"unit": "requests/min"}
_OUR_OWN: Final = frozenset({"gateway", "orders", "inventory", "suppliers", "payments"} | {
    f"{word}_service" for word in ("order", "inventory", "supplier", "payment")
})  # fmt: skip


class LimitSettings(AccessSettings):
    """The settings of rate limits, common to the gateway and all services."""

    rate_limit_per_minute: int = Field(
        default=0, ge=0, le=1_000_000, json_schema_extra=_REQUESTS, validate_default=True,
        description="what each customer may ask, a minute's worth at once; 0: without a limit; needs AUTH=on",
    )  # fmt: skip
    service_rate_limit_per_minute: int = Field(
        default=0, ge=0, le=1_000_000, json_schema_extra=_REQUESTS, validate_default=True,
        description="the same for each service of other teams",
    )  # fmt: skip
    own_subjects: Annotated[frozenset[str], NoDecode] = Field(
        default=_OUR_OWN,
        description="subjects of this installation's own services: without a limit, and what they pass on was counted",
    )

    @field_validator("own_subjects", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("rate_limit_per_minute", "service_rate_limit_per_minute")
    @classmethod
    def _only_for_known_callers(cls, limit: int, info: ValidationInfo) -> int:
        if limit and info.data.get("auth") == "off":
            raise ValueError("needs AUTH=on: nobody can be counted whom nobody knows")
        return limit
