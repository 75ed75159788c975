"""The release before this one beside it: its code from the history, run on today's schemas and topics."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.local import CannotStart, Stack
from deploy.local.child import Command
from deploy.local.fleet import Fleet
from deploy.local.infrastructure import READY_SECONDS
from deploy.local.instances import Instance
from deploy.local.services import GATEWAY, SERVICES
from protos.breaking import RELEASES, last_release
from protos.compiler import PROJECT

BOTH: Final = {service.name: 2 for service in SERVICES}
"""The first of each is of this release, the second of the one before."""
_BUILD_SECONDS: Final = 120


def previous_release(folder: Path) -> Path:
    """The code of the newest release that docs/releases.md names, ready to run. Raises CannotStart without it."""
    commit = last_release(PROJECT)
    if commit is None:
        raise CannotStart(f"{RELEASES} names no release yet")
    packed = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True)
    if packed.returncode != 0:
        told = packed.stderr.decode().strip()
        raise CannotStart(f"{RELEASES} names {commit}, which git cannot read here: {told}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    subprocess.run([sys.executable, "-m", "protos.generate"], cwd=folder, check=True, timeout=_BUILD_SECONDS)
    return folder


class TwoReleases(Stack):
    """Two instances of every service: one of this release, one of the release before."""

    def __init__(self, state: Path, before: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        super().__init__(state, None, environment, say)
        self.fleet = _TwoFleets(self, BOTH, READY_SECONDS)
        self.fleet.before = before

    @property
    def ports(self) -> tuple[int, int]:
        """Where the gateways of this release and of the one before answer."""
        return self.place.port("rest"), self.fleet.port_before

    fleet: "_TwoFleets"


class _TwoFleets(Fleet):
    before: Path

    def command_of(self, instance: Instance, further: Mapping[str, str] | None = None) -> Command:
        command = super().command_of(instance, further)
        if instance.number == 1:
            return command
        path = f"{self.before}:{self.before / 'build' / 'generated'}"
        return replace(command, directory=self.before).with_environment({"PYTHONPATH": path})

    def settings_of(self, instance: Instance) -> dict[str, str]:
        """A release that knows nothing of lists and shared ports is told of neither."""
        own = super().settings_of(instance)
        if instance.number > 1:
            own = {name: value for name, value in own.items() if not name.endswith("_ADDRESS")}
            own |= {"REST_PORT": str(self.port_before)} if instance.service == GATEWAY else {}
        return own

    def address_of(self, instance: Instance) -> str:
        if instance.service == GATEWAY and instance.number > 1:
            return f"127.0.0.1:{self.port_before}"
        return super().address_of(instance)

    @property
    def port_before(self) -> int:
        return self._ports.of(f"{GATEWAY.name}.2")[0]
