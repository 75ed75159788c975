"""A Kafka broker that asks callers who they are: by certificate, or by user and password with TLS and without."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chassis.brokers import Brokers
from deploy.local.child import Command
from deploy.local.kafka import Kafka
from deploy.local.logbook import open_logbook
from deploy.local.place import Place
from deploy.local.ports import free_offset
from deploy.local.readiness import require_done, require_ready
from deploy.local.supervisor import Supervisor
from tests.certificates import Authority

USER: Final = "orders-kafka"
PASSWORD: Final = "hush-of-the-broker"
SCRAM: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256")
_LISTENERS: Final = {"CERTIFIED": "SSL", "SECRET": "SASL_SSL", "TOLD": "SASL_PLAINTEXT"}
_PORTS: Final = {"CERTIFIED": "orders", "SECRET": "inventory", "TOLD": "suppliers"}
"""Of a stack whose services are not started."""
_SECONDS: Final = 120.0


class _Guarded(Kafka):
    def __init__(self, place: Place, authority: Authority, further: Sequence[str]) -> None:
        super().__init__(place, print)
        self._authority, self._further = authority, further

    def settings(self) -> list[str]:
        """The broker's own listener and that of its controller stay as they are; who comes in there may do anything."""
        places = {name: f"{name}://{self._place.address(port)}" for name, port in _PORTS.items()}
        added = {
            "listeners=": ",".join(places.values()),
            "advertised.listeners=": ",".join(places.values()),
            "listener.security.protocol.map=": ",".join(f"{name}:{how}" for name, how in _LISTENERS.items()),
        }
        lines = [
            f"{line},{more}" if (more := added.get(f"{line.partition('=')[0]}=")) else line
            for line in super().settings()
        ]
        return [*lines, *self._certificates(), *_logins(), *self._further]

    def format_command(self) -> Command | None:
        """Users of SCRAM are told to an empty data folder."""
        made = super().format_command()
        if made is None:
            return None
        users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in SCRAM]
        told = [word for user in users for word in ("--add-scram", user)]
        return Command(made.name, (*made.arguments, *told), made.log)

    def _certificates(self) -> list[str]:
        shown = self._authority.pair("broker")
        both = shown.key.with_suffix(".pem")
        both.write_text(shown.key.read_text() + shown.certificate.read_text())
        return [
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={both}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self._authority.file}",
            "listener.name.certified.ssl.client.auth=required",
        ]


def _logins() -> Iterator[str]:
    security = "org.apache.kafka.common.security"
    for listener in ("secret", "told"):
        where = f"listener.name.{listener}"
        yield f"{where}.sasl.enabled.mechanisms={','.join((*SCRAM, 'PLAIN'))}"
        for mechanism in SCRAM:
            yield f"{where}.{mechanism.lower()}.sasl.jaas.config={security}.scram.ScramLoginModule required;"
        plain = f'{security}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        yield f"{where}.plain.sasl.jaas.config={plain}"


@dataclass(frozen=True)
class GuardedBroker:
    """One that runs, and its ways in."""

    place: Place
    authority: Authority

    @property
    def unguarded(self) -> str:
        """Where who comes may do anything."""
        return self.place.address("kafka")

    def by_certificate(self, user: str = USER) -> Brokers:
        """As who shows a certificate of this name."""
        shown = self.authority.pair(user)
        return Brokers(
            self.place.address(_PORTS["CERTIFIED"]), "SSL", authorities=self.authority.file,
            certificate=shown.certificate, key=shown.key,
        )  # fmt: skip

    def by_password(self, protocol: str, mechanism: str, password: str = PASSWORD) -> Brokers:
        """As who has a password."""
        port = next(_PORTS[name] for name, how in _LISTENERS.items() if how == protocol)
        authorities = self.authority.file if protocol == "SASL_SSL" else None
        return Brokers(self.place.address(port), protocol, mechanism, USER, password, authorities)


@contextmanager
def guarded_broker(state: Path, further: Sequence[str] = ()) -> Iterator[GuardedBroker]:
    """Start one, and stop it at the end of the block; `further` settings are added to its own."""
    place = Place(state, free_offset())
    place.make()
    running = GuardedBroker(place, Authority(state))
    kafka = _Guarded(place, running.authority, further)
    kafka.prepare()
    supervisor = Supervisor(place.pids, open_logbook(place.log_of("local")))
    try:
        formatting = kafka.format_command()
        assert formatting is not None
        require_done(formatting, supervisor.run_all([formatting], _SECONDS)[formatting.name])
        supervisor.start(kafka.command())
        require_ready(supervisor, kafka.name, kafka.answers, place.log_of(kafka.name), _SECONDS)
        yield running
    finally:
        supervisor.stop([kafka.name])
        supervisor.close()
