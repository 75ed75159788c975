"""Parts that the environment already provides, used instead of embedded ones, and asked whether they are there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.local.answers import accepts_connections, postgres_answers, redis_answers
from deploy.local.refusals import CannotStart
from deploy.local.waiting import wait_until

SECONDS = 10.0


@dataclass(frozen=True)
class Provided:
    """What is there already; None is what we have to start ourselves."""

    database_url: str | None = None
    kafka_bootstrap_servers: str | None = None
    redis_url: str | None = None

    def require(self) -> None:
        """Raises CannotStart naming the first part that does not answer."""
        for setting, value, answers in self._checks():
            if value is not None and not wait_until(lambda: answers(value), SECONDS, every=0.5):
                raise CannotStart(
                    f"{setting} names {without_password(value)}, but nothing answers there. Start it, correct"
                    f" {setting}, or unset {setting} to have one started here."
                )

    def _checks(self) -> tuple[tuple[str, str | None, Callable[[str], bool]], ...]:
        return (
            ("DATABASE_URL", self.database_url, postgres_answers),
            ("KAFKA_BOOTSTRAP_SERVERS", self.kafka_bootstrap_servers, accepts_connections),
            ("REDIS_URL", self.redis_url, redis_answers),
        )


def provided_by(environment: Mapping[str, str]) -> Provided:
    return Provided(
        environment.get("DATABASE_URL") or None,
        environment.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        environment.get("REDIS_URL") or None,
    )


def without_password(address: str) -> str:
    parts = urlsplit(address)
    return address if parts.password is None else address.replace(f":{parts.password}@", ":…@")
