"""The whole system on one machine: infrastructure, schemas, topics, services, gateway."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, Signals
from time import monotonic
from types import TracebackType
from typing import Self

from deploy.local.access import LocalIssuer, wants_issuer
from deploy.local.child import Command
from deploy.local.fleet import Fleet
from deploy.local.infrastructure import READY_SECONDS, Infrastructure
from deploy.local.instances import Counts
from deploy.local.issuer import NAME as ISSUER
from deploy.local.logbook import progress_line
from deploy.local.ports import HeldPorts
from deploy.local.preparation import migrations, topics
from deploy.local.readiness import require_done, require_ready
from deploy.local.services import Service, inherited, processes, wants_simulators
from deploy.local.supervisor import Supervisor
from deploy.local.waiting import wait_until

PREPARATION_SECONDS = 120.0
SERVICE_BY_NAME = {service.name: service for service in processes(with_simulators=True)}


class Stack:
    """Starts with `start` (or `with`), ends with `stop`; what dies in between is started again by itself."""

    def __init__(
        self,
        infrastructure: Infrastructure | Path,
        port_offset: int | None = None,
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda line: None,
        counts: Counts | None = None,
    ) -> None:
        """On a state folder, it has infrastructure of its own; on running infrastructure, it leaves that running.

        `counts` says how many there are of what is not there once, as INSTANCES does.
        """
        self._is_guest = isinstance(infrastructure, Infrastructure) and infrastructure.is_running
        self.infrastructure = (
            infrastructure
            if isinstance(infrastructure, Infrastructure)
            else Infrastructure(infrastructure, port_offset, say=say)
        )
        self.place, self._say = self.infrastructure.place, say
        self._ports = HeldPorts(self.place, say)
        self.environment = {**self.infrastructure.environment, "PORTS_SHARED": "on", **(environment or {})}
        self._has_simulators = wants_simulators({**inherited(), **self.environment})
        self.services = processes(self._has_simulators)
        self.fleet = Fleet(self, counts or {}, READY_SECONDS)
        self.issuer = LocalIssuer(self.place) if wants_issuer({**os.environ, **self.environment}) else None
        if self.issuer is not None:
            self.environment |= self.issuer.environment

    def start(self) -> None:
        """Returns when the gateway answers. Raises CannotStart with a sentence, and then nothing is left running."""
        try:
            ports = [port for service in self.services for port in service.ports]
            ports += [ISSUER] if self.issuer is not None else []
            if self._is_guest:
                self._ports.take(ports)
            else:
                self.infrastructure.start(ports)
            self.place.remember_simulators(self._has_simulators)
            self._prepare()
            self._start_services()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """The gateway first, so that nobody is let in to a system that is leaving; parties outside last."""
        if self.infrastructure.is_running:
            self.fleet.stop()
            self.infrastructure.supervisor.stop([ISSUER])
        self._ports.release()
        self.fleet.release()
        if not self._is_guest:
            self.infrastructure.stop()

    def command_of(self, service: Service, further: Mapping[str, str]) -> Command:
        """How one process of ours is started; `further` settings are its own."""
        return service.command(self.place, {**self.environment, **further})

    @property
    def supervisor(self) -> Supervisor:
        return self.infrastructure.supervisor

    def scale(self, counts: Counts, say: Callable[[str], None] = lambda line: None) -> None:
        """So many of each from now on; what is not named stays as it is. Raises CannotStart."""
        self.fleet.scale(counts, say)

    def roll(self, names: Sequence[str] = (), say: Callable[[str], None] = lambda line: None) -> None:
        """Every service's process, or each of those named, is succeeded by another. Raises CannotStart."""
        self.fleet.roll(names, say)

    @property
    def pids(self) -> dict[str, int]:
        return self.infrastructure.supervisor.pids

    def kill(self, name: str, number: Signals = SIGKILL) -> None:
        """Sends the signal; after SIGKILL returns when the process is gone. It is started again by itself."""
        supervisor = self.infrastructure.supervisor
        deaths = supervisor.deaths(name)
        supervisor.kill(name, number)
        if number is SIGKILL:
            wait_until(lambda: supervisor.deaths(name) > deaths, seconds=10, every=0.01)

    def take_down(self, name: str) -> None:
        """Ends one process and keeps it down."""
        self.infrastructure.supervisor.stop([name])

    def bring_up(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts one process that is down, a service with further settings, and returns when it answers."""
        instance = self.fleet.member(name)
        if instance is None:
            self.infrastructure.bring_up(name)
            return
        self.infrastructure.supervisor.start(self.fleet.command_of(instance, environment))
        self.wait_ready(name)

    def wait_ready(self, name: str, seconds: float = READY_SECONDS) -> None:
        """Raises CannotStart when it does not answer in time."""
        instance = self.fleet.member(name)
        if instance is None:
            self.infrastructure.wait_ready(name, seconds)
        else:
            self.fleet.wait_ready(instance, seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _prepare(self) -> None:
        """Schemas and topics, beside each other; all of it is a no-op when it has been done."""
        begun = monotonic()
        commands = [
            *migrations(self.place, self.environment, self.infrastructure.database_url),
            topics(self.place, self.environment),
        ]
        codes = self.infrastructure.supervisor.run_all(commands, PREPARATION_SECONDS)
        for command in commands:
            require_done(command, codes[command.name])
        self._say(progress_line("schemas and topics", monotonic() - begun, ""))

    def _start_services(self) -> None:
        if self.issuer is not None:
            self._start_issuer(self.issuer)
        self.fleet.start(self._say)

    def _start_issuer(self, issuer: LocalIssuer) -> None:
        begun, supervisor = monotonic(), self.infrastructure.supervisor
        supervisor.start(issuer.command)
        require_ready(supervisor, ISSUER, issuer.answers, self.place.log_of(ISSUER), READY_SECONDS)
        self._say(progress_line(ISSUER, monotonic() - begun, self.place.address(ISSUER)))
