"""Where one stack stands: its state folder, its ports, its files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.refusals import CannotStart

PROJECT = Path(__file__).resolve().parents[2]

PORTS: Mapping[str, int] = {
    "postgres": 55432,
    "valkey": 56379,
    "kafka": 59092,
    "kafka controller": 59093,
    "orders": 50051,
    "inventory": 50052,
    "suppliers": 50053,
    "payments": 50054,
    "rest": 8080,
    "payments simulator": 8081,
    "suppliers simulator": 8082,
    "issuer": 8083,
    "gateway metrics": 9100,
    "orders metrics": 9101,
    "inventory metrics": 9102,
    "suppliers metrics": 9103,
    "payments metrics": 9104,
}
INFRASTRUCTURE_PORTS = ("postgres", "valkey", "kafka", "kafka controller")
HIGHEST_OFFSET = 65535 - max(PORTS.values())


@dataclass(frozen=True)
class Place:
    """One stack's state folder and port offset; several places stand side by side on one machine."""

    state: Path
    port_offset: int = 0

    def port(self, name: str) -> int:
        return PORTS[name] + self.port_offset

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.port(name)}"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @property
    def pids(self) -> Path:
        return self.state / "pids.json"

    @property
    def further_instances(self) -> Path:
        """Where second and further instances answer, by name, as long as they run."""
        return self.state / "instances.json"

    @property
    def control(self) -> Path:
        """The socket at which a stack that runs is told what to change."""
        return self.state / "control"

    def remember_offset(self) -> None:
        (self.state / "port_offset").write_text(str(self.port_offset))

    def remember_simulators(self, are_processes: bool) -> None:
        (self.state / "simulators").write_text("http" if are_processes else "inprocess")

    @property
    def has_simulators(self) -> bool:
        """Whether the stack that was started here last has its simulators as processes."""
        remembered = self.state / "simulators"
        return remembered.exists() and remembered.read_text() == "http"

    def as_last_started(self) -> "Place":
        """The same folder with the offset of the stack that was started in it last."""
        remembered = self.state / "port_offset"
        return Place(self.state, int(remembered.read_text())) if remembered.exists() else self

    def make(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)


def place_from(environment: Mapping[str, str]) -> Place:
    """The place that STATE_DIR and PORT_OFFSET name. Raises CannotStart when they make no sense."""
    state = Path(environment.get("STATE_DIR") or PROJECT / ".local").expanduser()
    return Place(state.resolve(), offset_from(environment.get("PORT_OFFSET") or "0"))


def offset_from(text: str) -> int:
    if not text.isdecimal() or int(text) > HIGHEST_OFFSET:
        raise CannotStart(f"PORT_OFFSET is {text!r}: it must be a whole number from 0 to {HIGHEST_OFFSET}.")
    return int(text)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """What is downloaded once for every checkout and stack of this user."""
    root = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "order-system"
