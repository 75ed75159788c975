"""Parts that the environment already provides: used instead of embedded ones, and asked whether they are there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import shorten
from urllib.parse import urlsplit

from deploy.local.answers import connection_complaint, postgres_complaint, redis_complaint
from deploy.local.refusals import CannotStart
from deploy.local.waiting import wait_until

SECONDS = 10.0
SETTINGS = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "kafka": "KAFKA_BOOTSTRAP_SERVERS"}
COMPLAINTS: Mapping[str, Callable[[str], str | None]] = {
    "postgres": postgres_complaint,
    "valkey": redis_complaint,
    "kafka": connection_complaint,
}


@dataclass(frozen=True)
class Provided:
    """The address of one part that somebody else runs."""

    part: str
    address: str

    def answers(self) -> bool:
        return COMPLAINTS[self.part](self.address) is None

    def require(self, seconds: float = SECONDS) -> None:
        """Raises CannotStart when nothing answers there."""
        if not wait_until(self.answers, seconds, every=0.5):
            setting = SETTINGS[self.part]
            raise CannotStart(
                f"{setting} names {self}, but {self.part} does not answer there ({self._complaint()})."
                f" Start it, correct {setting}, or unset {setting} to have one started here."
            )

    def _complaint(self) -> str:
        return shorten(COMPLAINTS[self.part](self.address) or "too slow", 200, placeholder=" …")

    def __str__(self) -> str:
        parts = urlsplit(self.address)
        return self.address if parts.password is None else self.address.replace(f":{parts.password}@", ":…@")


def provided_by(environment: Mapping[str, str]) -> Mapping[str, Provided]:
    """By part; what is absent is to be started here."""
    named = {part: environment.get(setting) for part, setting in SETTINGS.items()}
    return {part: Provided(part, address) for part, address in named.items() if address}
