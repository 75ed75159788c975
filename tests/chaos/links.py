"""The whole system with a fault proxy on every link: service to Postgres, Kafka and Valkey, and service to service."""

import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from deploy.local.child import Command
from deploy.local.infrastructure import Infrastructure
from deploy.local.ports import bind
from deploy.local.services import BACKENDS, Service
from deploy.local.stack import SERVICE_BY_NAME, Stack
from tests.chaos.proxy import Link, Proxy

CONTEXT_OF: Final = {
    "order_service": "orders",
    "inventory_service": "inventory",
    "payment_service": "payments",
    "supplier_service": "suppliers",
}
ASKS: Final = {"gateway": tuple(CONTEXT_OF.values()), "order_service": ("inventory",)}
"""Who calls whom over gRPC."""

OUTSIDE: Final[Mapping[str, tuple[str, str, str]]] = {
    "payment_service": ("payments simulator", "payment_service.simulator", "PAYMENT_PROVIDER_URL"),
    "supplier_service": ("suppliers simulator", "supplier_service.simulator", "SUPPLIER_URL"),
}
"""By service, whom it asks outside: the port, the process that plays that party, and the setting that names it."""

SETTINGS: Final[Mapping[str, str]] = {
    "PAYMENT_TIMEOUT_SECONDS": "2",
    "PAYMENT_UNKNOWN_SCHEDULE": "1,2,4,8",
    "SUPPLIER_CHECK_SECONDS": "1",
    "RESERVATION_SECONDS": "6",
    "SIMULATION": "lifelike",
    "LOG_LEVEL": "INFO",
}
"""What else would take minutes or days takes seconds."""


class LinkedInfrastructure(Infrastructure):
    """A broker tells its clients where it is, so it has a listener for each link, which names the link's port."""

    def __init__(self, state: Path, say: Callable[[str], None] = lambda line: None) -> None:
        super().__init__(state, provided={}, say=say)
        self.proxy = Proxy()
        self._held: list[socket.socket] = []

    def stop(self) -> None:
        super().stop()
        self.proxy.close()
        for held in self._held:
            held.close()

    def broker_link(self, service: str) -> Link:
        return self.proxy.links[f"{service}-kafka"]

    def _start_parts(self) -> None:
        settings = self.place.state / "kafka" / "server.properties"
        settings.write_text(self._with_listeners(settings.read_text()))
        super()._start_parts()

    def _with_listeners(self, text: str) -> str:
        lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        for service, context in CONTEXT_OF.items():
            link = self.proxy.open(f"{service}-kafka", ("127.0.0.1", self._held_port()))
            lines["listeners"] += f",{context.upper()}://127.0.0.1:{link.target[1]}"
            lines["advertised.listeners"] += f",{context.upper()}://127.0.0.1:{link.port}"
            lines["listener.security.protocol.map"] += f",{context.upper()}:PLAINTEXT"
        return "".join(f"{name}={value}\n" for name, value in lines.items())

    def _held_port(self) -> int:
        """Bound but not listened on, so that nobody else is given it; the broker may listen all the same."""
        held = bind(0)
        assert held is not None
        self._held.append(held)
        return int(held.getsockname()[1])


class LinkedStack(Stack):
    """On running infrastructure; each service is told of its links instead of what lies behind them."""

    infrastructure: LinkedInfrastructure

    def __init__(self, infrastructure: LinkedInfrastructure, simulators: str = "http") -> None:
        super().__init__(infrastructure, environment={**SETTINGS, "SIMULATORS": simulators})
        self._bug = ""
        self._further: Mapping[str, Mapping[str, str]] = {}
        self._own: dict[str, dict[str, str]] = {}
        self._open_links()

    def plant(self, bug: str, further: Mapping[str, Mapping[str, str]]) -> None:
        """Each service that is started from now on has this bug, if it is named, and its further settings."""
        self._bug, self._further = bug, further

    @property
    def proxy(self) -> Proxy:
        return self.infrastructure.proxy

    def bring_up_all(self, names: Sequence[str]) -> None:
        """Beside each other; returns when all answer."""
        for name in names:
            self.infrastructure.supervisor.start(self.command_of(SERVICE_BY_NAME[name], {}))
        for name in names:
            self.wait_ready(name)

    def command_of(self, service: Service, further: Mapping[str, str]) -> Command:
        own = {**self._own.get(service.name, {}), **self._further.get(service.name, {})}
        command = super().command_of(service, {**own, **further})
        if self._bug and service.name in CONTEXT_OF:
            return replace(command, arguments=(sys.executable, "-m", "tests.chaos.planted", self._bug, service.name))
        return command

    def _open_links(self) -> None:
        for service in BACKENDS:
            self._own[service.name] = self._links_of(service.name)
        for caller, contexts in ASKS.items():
            own = self._own.setdefault(caller, {})
            for context in contexts:
                link = self.proxy.open(f"{caller}-{context}", ("127.0.0.1", self.place.port(context)))
                own[f"{context.upper()}_ADDRESS"] = f"127.0.0.1:{link.port}"
        for asker, (port, simulator, setting) in OUTSIDE.items():
            link = self.proxy.open(f"{asker}-outside", ("127.0.0.1", self.place.port(port)))
            self._own[asker][setting] = f"http://127.0.0.1:{link.port}"
            link = self.proxy.open(f"{simulator}-gateway", ("127.0.0.1", self.place.port("rest")))
            self._own[simulator] = {"WEBHOOK_URL": f"http://127.0.0.1:{link.port}"}

    def _links_of(self, service: str) -> dict[str, str]:
        context = CONTEXT_OF[service]
        database = self.proxy.open(f"{service}-postgres", ("127.0.0.1", self.place.port("postgres")))
        redis = self.proxy.open(f"{service}-valkey", ("127.0.0.1", self.place.port("valkey")))
        own = [f"{context.upper()}_DATABASE_URL", f"{context.upper()}_SIMULATOR_DATABASE_URL"]
        return {
            **{name: through(self.environment[name], database) for name in own if name in self.environment},
            "REDIS_URL": through(self.environment["REDIS_URL"], redis),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.infrastructure.broker_link(service).port}",
        }


def through(url: str, link: Link) -> str:
    """The same URL by way of a link."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{link.port}").geturl()
