"""All instances of all services of one stack: started, scaled and rolled while requests come in."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from deploy.local.answers import grpc_answers
from deploy.local.child import Command
from deploy.local.further_ports import FurtherPorts
from deploy.local.instances import Counts, Instance, instances, roles_of
from deploy.local.logbook import progress_line
from deploy.local.place import Place
from deploy.local.port_holders import listens
from deploy.local.readiness import require_ready, where_to_look
from deploy.local.refusals import CannotStart
from deploy.local.services import BACKENDS, GATEWAY, SERVICES, Service
from deploy.local.supervisor import Supervisor

CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    GATEWAY.name: tuple(service.face for service in BACKENDS),
    "order_service": ("inventory",),
}
"""Who asks whom over gRPC."""

Say = Callable[[str], None]


class Surroundings(Protocol):
    """What a stack knows, and its instances need."""

    place: Place
    environment: dict[str, str]
    services: tuple[Service, ...]

    @property
    def supervisor(self) -> Supervisor: ...

    def command_of(self, service: Service, further: Mapping[str, str]) -> Command:
        """How the service is started with further settings."""
        ...


class Fleet:
    """The processes of a stack that are services; `counts` says how many there are of each."""

    def __init__(self, stack: Surroundings, counts: Counts, ready_seconds: float) -> None:
        self._stack, self.counts = stack, dict(counts)
        self._ready_seconds = ready_seconds
        self._ports = FurtherPorts()
        self._told: dict[str, dict[str, str]] = {}
        """What each process was told when it was started last."""

    @property
    def members(self) -> list[Instance]:
        return instances(self._stack.services, self.counts)

    def member(self, name: str) -> Instance | None:
        return next((instance for instance in self.members if instance.name == name), None)

    def start(self, say: Say) -> None:
        """All at once, because none needs another to start; told in order."""
        begun = monotonic()
        self._remember()
        for instance in self.members:
            self._stack.supervisor.start(self.command_of(instance))
        for instance in self.members:
            self.wait_ready(instance, self._ready_seconds)
            say(progress_line(instance.name, monotonic() - begun, self.address_of(instance)))

    def stop(self) -> None:
        """The gateways first, so that nobody is let in to a system that is leaving; parties outside last."""
        outside = [service for service in self._stack.services if service not in SERVICES]
        for leaving in ([GATEWAY], BACKENDS, outside):
            names = [instance.name for instance in self.members if instance.service in leaving]
            self._stack.supervisor.stop(names)

    def release(self) -> None:
        """Its ports are anybody's again."""
        self._ports.release_all()

    def scale(self, wanted: Counts, say: Say = lambda line: None) -> None:
        """Start what is missing, tell callers by successors, end what is too many; those who are asked are ready.

        Raises CannotStart when something does not come up: what is new is taken back then, while a caller without a
        successor goes on as it is until it is asked for once more.
        """
        before = self.members
        counts, self.counts = self.counts, {**self.counts, **wanted}
        new = [each for each in self.members if each not in before]
        try:
            self._start_further(new, say)
        except CannotStart:
            self._stop_further(new, say)
            self.counts = counts
            raise
        self._remember()
        for instance in self.members:
            if self.settings_of(instance) != self._told.get(instance.name):
                self._succeed(instance, say)
        self._stop_further([each for each in before if each not in self.members], say)

    def roll(self, names: Sequence[str] = (), say: Say = lambda line: None) -> None:
        """Every process is succeeded by another, one after the other; with names, those services and instances alone.

        A successor listens at the same ports before its predecessor stops to. Raises CannotStart when one does not
        come up; its predecessor goes on then.
        """
        ours = [each for each in self.members if each.service in SERVICES]  # parties outside are not ours to roll
        known = {each.name for each in ours} | {each.kind for each in ours}
        if unknown := [name for name in names if name not in known]:
            raise CannotStart(f"There is no {', '.join(unknown)} here; there are {', '.join(sorted(known))}.")
        for instance in ours:
            if not names or {instance.name, instance.kind} & set(names):
                self._succeed(instance, say)

    def command_of(self, instance: Instance, further: Mapping[str, str] | None = None) -> Command:
        """How it is started now; what it is told is remembered."""
        self._told[instance.name] = own = self.settings_of(instance)
        command = self._stack.command_of(instance.service, {**own, **(further or {})})
        return replace(command, name=instance.name, log=self._stack.place.log_of(instance.name))

    def settings_of(self, instance: Instance) -> dict[str, str]:
        """What it is told beside what all are told."""
        own = self._addresses(CALLS.get(instance.service.name, ()))
        if roles := roles_of(instance, self.counts):
            own["ROLES"] = roles
        if not instance.is_first:
            face, metrics = self._ports.of(instance.name)
            own |= {"METRICS_PORT": str(metrics)} | ({} if instance.service == GATEWAY else {"GRPC_PORT": str(face)})
        return own

    def address_of(self, instance: Instance) -> str:
        """Where it answers; gateways all at one port."""
        if instance.is_first or instance.service == GATEWAY:
            return self._stack.place.address(instance.service.face)
        return f"127.0.0.1:{self._ports.of(instance.name)[0]}"

    def wait_ready(self, instance: Instance, seconds: float) -> None:
        """Raises CannotStart when it does not answer in time."""
        supervisor, answers = self._stack.supervisor, self._answers(instance)
        require_ready(supervisor, instance.name, answers, self._log_of(instance), seconds)

    def _answers(self, instance: Instance) -> Callable[[], bool]:
        environment = {**os.environ, **self._stack.environment}
        if instance.is_first:
            return instance.service.answering_at(self._stack.place, environment)
        if instance.service == GATEWAY:
            return lambda: self._listens(instance, self._stack.supervisor.pids.get(instance.name, 0))
        return partial(grpc_answers, self.address_of(instance), environment)

    def _listens(self, instance: Instance, pid: int) -> bool:
        """Whether this very process does: at a port that others share, an answer may be theirs."""
        return listens(pid, int(self.address_of(instance).rpartition(":")[2]))

    def _addresses(self, contexts: Sequence[str]) -> dict[str, str]:
        """Of each context that answers in several places; one that the environment names is left as it is."""
        told = {**os.environ, **self._stack.environment}
        found = {}
        for context in contexts:
            places = [self.address_of(each) for each in self.members if each.is_called and each.service.face == context]
            setting = f"{context.upper()}_ADDRESS"
            if len(places) > 1 and not told.get(setting):
                found[setting] = ",".join(places)
        return found

    def _start_further(self, new: Sequence[Instance], say: Say) -> None:
        begun = monotonic()
        for instance in new:
            self._stack.supervisor.start(self.command_of(instance))
        for instance in new:
            self.wait_ready(instance, self._ready_seconds)
            say(progress_line(instance.name, monotonic() - begun, self.address_of(instance)))

    def _stop_further(self, gone: Sequence[Instance], say: Say) -> None:
        self._stack.supervisor.stop([instance.name for instance in gone])
        for instance in gone:
            self._ports.release(instance.name)
            say(f"  {instance.name} is stopped")

    def _succeed(self, instance: Instance, say: Say) -> None:
        begun = monotonic()
        ready = partial(self._listens, instance)
        before = self._told.get(instance.name, {})
        if not self._stack.supervisor.succeed(self.command_of(instance), ready, self._ready_seconds):
            self._told[instance.name] = before
            where = where_to_look(self._log_of(instance))
            raise CannotStart(f"{instance.name} has no successor that stays up; the one before goes on. {where}")
        say(progress_line(f"{instance.name} again", monotonic() - begun, self.address_of(instance)))

    def _log_of(self, instance: Instance) -> Path:
        return self._stack.place.log_of(instance.name)

    def _remember(self) -> None:
        """For `status`, which is asked from elsewhere."""
        further = {
            each.name: (self.address_of(each), self._ports.of(each.name)[1])
            for each in self.members
            if not each.is_first
        }
        self._stack.place.further_instances.write_text(json.dumps(further, indent=1))
