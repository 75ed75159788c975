"""Postgres, Valkey and Kafka of one stack, started beside each other; what the environment provides is used instead."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from deploy.local.kafka import Kafka
from deploy.local.logbook import open_logbook, progress_line
from deploy.local.part import Part
from deploy.local.passwords import passwords_of
from deploy.local.place import Place
from deploy.local.ports import HeldPorts, free_offset
from deploy.local.postgres import Postgres
from deploy.local.provided import Provided, provided_by
from deploy.local.readiness import require_done, require_ready
from deploy.local.refusals import CannotStart
from deploy.local.services import environment_of
from deploy.local.sole_owner import SoleOwner
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import Valkey

READY_SECONDS = 120.0
FORMAT_SECONDS = 120.0
LEAVING_SECONDS = 5.0


class Infrastructure:
    """Starts with `start` (or `with`), ends with `stop`; `environment` is what a service needs to find all of it."""

    def __init__(
        self,
        state_dir: Path,
        port_offset: int | None = None,
        *,
        provided: Mapping[str, Provided] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Without a port offset, one with free ports is chosen; without `provided`, the environment is asked."""
        self.place = Place(Path(state_dir).resolve(), free_offset() if port_offset is None else port_offset)
        self.place.make()
        self.say, self.log = say, open_logbook(self.place.log_of("local"))
        self.passwords = passwords_of(self.place.state)
        self._provided = provided_by(os.environ) if provided is None else provided
        self._owner = SoleOwner(self.place.state)
        self._ports = HeldPorts(self.place, say)
        self._supervisor: Supervisor | None = None
        embedded = embedded_parts(self.place, self.passwords, say)
        self._parts = [part for part in embedded if part.name not in self._provided]
        addresses = {part.name: part.address for part in embedded} | {
            name: provided.address for name, provided in self._provided.items()
        }
        self.database_url = addresses["postgres"]
        self.redis_url = addresses["valkey"]
        self.kafka_bootstrap_servers = addresses["kafka"]

    @property
    def environment(self) -> dict[str, str]:
        """What a service reads to find its database, the broker and Redis; not the owner's URL."""
        return environment_of(
            self.place, self.database_url, self.kafka_bootstrap_servers, self.redis_url, self.passwords
        )

    @property
    def supervisor(self) -> Supervisor:
        if self._supervisor is None:
            raise CannotStart("The infrastructure is not started.")
        return self._supervisor

    @property
    def is_running(self) -> bool:
        return self._supervisor is not None

    def start(self, further_ports: Sequence[str] = ()) -> None:
        """Returns when all of it answers. Raises CannotStart with a sentence, and then nothing is left running."""
        self._owner.take()
        self.place.remember_offset()
        try:
            for provided in self._provided.values():
                provided.require()
            self._take_ports([*(port for part in self._parts for port in part.ports), *further_ports])
            self._supervisor = Supervisor(self.place.pids, self.log)
            self._format()
            self._start_parts()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all of it, the database last, when nobody writes any more."""
        if self._supervisor is not None:
            self._supervisor.stop([part.name for part in self._parts if part.name != "postgres"])
            self._supervisor.close()
            self._supervisor = None
        self._ports.release()
        self._owner.release()

    def take_down(self, name: str) -> None:
        """Ends one server and keeps it down."""
        self.supervisor.stop([name])

    def bring_up(self, name: str) -> None:
        """Starts one server that is down, and returns when it answers."""
        self.supervisor.start(self._part(name).command())
        self.wait_ready(name)

    def wait_ready(self, name: str, seconds: float = READY_SECONDS) -> None:
        """Raises CannotStart when it does not answer in time."""
        require_ready(self.supervisor, name, self._part(name).answers, self.place.log_of(name), seconds)

    def _part(self, name: str) -> Part:
        for part in self._parts:
            if part.name == name:
                return part
        raise CannotStart(f"{name} is not started here.")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _take_ports(self, names: Sequence[str]) -> None:
        """After a supervisor that was killed, its children may need a moment to leave."""
        self._ports.take(names, LEAVING_SECONDS if self.place.pids.exists() else 0.0)

    def _format(self) -> None:
        for part in self._parts:
            part.prepare()
        wanted = [(part, command) for part in self._parts if (command := part.format_command()) is not None]
        codes = self.supervisor.run_all([command for _, command in wanted], FORMAT_SECONDS)
        for part, command in wanted:
            require_done(command, codes[command.name])
            part.take_format()

    def _start_parts(self) -> None:
        begun = monotonic()
        for part in self._parts:
            self.supervisor.start(part.command())
        for part in self._parts:
            self.wait_ready(part.name)
            part.settle()
            self.say(progress_line(part.name, monotonic() - begun, self.place.address(part.name)))


def embedded_parts(place: Place, passwords: Mapping[str, str], say: Callable[[str], None]) -> tuple[Part, ...]:
    return Postgres(place, passwords), Valkey(place, passwords), Kafka(place, say)
