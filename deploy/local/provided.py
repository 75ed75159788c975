"""Parts that the environment already provides: used instead of embedded ones, and asked whether they are there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.local.answers import accepts_connections, postgres_answers, redis_answers
from deploy.local.refusals import CannotStart
from deploy.local.waiting import wait_until

SECONDS = 10.0
SETTINGS = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "kafka": "KAFKA_BOOTSTRAP_SERVERS"}
ANSWERS: Mapping[str, Callable[[str], bool]] = {
    "postgres": postgres_answers,
    "valkey": redis_answers,
    "kafka": accepts_connections,
}


@dataclass(frozen=True)
class Provided:
    """The address of one part that somebody else runs."""

    part: str
    address: str

    def answers(self) -> bool:
        return ANSWERS[self.part](self.address)

    def require(self, seconds: float = SECONDS) -> None:
        """Raises CannotStart when nothing answers there."""
        if not wait_until(self.answers, seconds, every=0.5):
            setting = SETTINGS[self.part]
            raise CannotStart(
                f"{setting} names {self}, but no {self.part} answers there. Start it, correct {setting},"
                f" or unset {setting} to have one started here."
            )

    def __str__(self) -> str:
        parts = urlsplit(self.address)
        return self.address if parts.password is None else self.address.replace(f":{parts.password}@", ":…@")


def provided_by(environment: Mapping[str, str]) -> Mapping[str, Provided]:
    """By part; what is absent is to be started here."""
    named = {part: environment.get(setting) for part, setting in SETTINGS.items()}
    return {part: Provided(part, address) for part, address in named.items() if address}
