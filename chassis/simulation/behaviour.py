"""How a simulated party misbehaves: what can be switched, and what becomes of one request."""

from enum import Enum
from random import Random
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

Percent = Annotated[int, Field(ge=0, le=100)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
_ALL: Final = 100


class Behaviour(BaseModel):
    """What is switched on; all of it off is a party that does what its scenarios say and nothing worse."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_ms: Milliseconds = Field(default=0, description="how long every answer takes beside what it is told to")
    errors: Percent = Field(default=0, description="% of requests answered with 500, every other one after its effect")
    timeouts_before: Percent = Field(default=0, description="% of requests that do nothing and are never answered")
    timeouts_after: Percent = Field(default=0, description="% of requests that take effect and are never answered")
    garbage: Percent = Field(default=0, description="% of requests that take effect and are answered with nonsense")
    failures: Percent = Field(default=0, description="% of what is newly asked for that fails for good")
    webhooks_duplicated: Percent = Field(default=0, description="% of webhooks sent twice")
    webhooks_delayed_ms: Milliseconds = Field(default=0, description="how much later every webhook is sent")
    webhooks_reordered: Percent = Field(default=0, description="% of webhooks held back until later ones were sent")
    webhooks_forged: Percent = Field(default=0, description="% of webhooks before which a liar sends one of its own")
    seed: int = Field(default=1, ge=0, description="seed of what is left to chance")

    @model_validator(mode="after")
    def _of_a_hundred(self) -> "Behaviour":
        if self.errors + self.timeouts_before + self.timeouts_after + self.garbage > _ALL:
            raise ValueError("errors, timeouts_before, timeouts_after and garbage must be 100 together, or less")
        return self


class Fate(Enum):
    """What becomes of one request."""

    ANSWERED = "answered"
    ERROR_BEFORE = "error before its effect"
    ERROR_AFTER = "error after its effect"
    SILENCE_BEFORE = "silence before its effect"
    SILENCE_AFTER = "silence after its effect"
    GARBAGE = "garbage after its effect"

    @property
    def has_effect(self) -> bool:
        """Whether the party does what it is asked for."""
        return self not in (Fate.ERROR_BEFORE, Fate.SILENCE_BEFORE)


class Dice:
    """Draws for a behaviour: the same seed and order of requests, the same fates."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._random = Random(behaviour.seed)
        self._errors = 0

    def fate(self) -> Fate:
        """What becomes of the next request."""
        told, luck = self._behaviour, self._random.randrange(_ALL)
        if luck < told.errors:
            self._errors += 1
            return Fate.ERROR_BEFORE if self._errors % 2 else Fate.ERROR_AFTER
        luck -= told.errors
        for percent, fate in (
            (told.timeouts_before, Fate.SILENCE_BEFORE),
            (told.timeouts_after, Fate.SILENCE_AFTER),
            (told.garbage, Fate.GARBAGE),
        ):
            if luck < percent:
                return fate
            luck -= percent
        return Fate.ANSWERED

    def falls(self, percent: int) -> bool:
        """Whether something happens that happens to so many of a hundred."""
        return self._random.randrange(_ALL) < percent
