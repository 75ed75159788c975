"""The ports of one stack, kept for it as long as it stands."""

import secrets
import socket
from collections.abc import Callable, Sequence

from deploy.local.place import HIGHEST_OFFSET, PORTS, Place
from deploy.local.port_holders import holder, is_listened_on
from deploy.local.refusals import CannotStart
from deploy.local.waiting import wait_until

CLOSING_SECONDS = 65.0  # the kernel keeps the port of a closed connection for 60


class HeldPorts:
    """Bound but not listened on: the kernel gives such a port to no outgoing connection, and our children may listen.

    Most of our ports lie where the kernel takes them for outgoing connections. Without this, a server that was down
    for a moment, or the whole stack after a load test, could find its port gone.
    """

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place, self._say = place, say
        self._held: dict[str, socket.socket] = {}

    def take(self, names: Sequence[str], leaving_seconds: float = 0.0) -> None:
        """Raises CannotStart naming every port that somebody listens on, and who. Others are waited for."""
        wait_until(lambda: not self._missing(names), leaving_seconds)
        if any(not self._is_listened_on(name) for name in self._missing(names)):
            self._say(f"waiting for {self._described(self._missing(names))}")
            wait_until(lambda: all(map(self._is_listened_on, self._missing(names))), CLOSING_SECONDS)
        missing = self._missing(names)
        if missing:
            self.release()
            raise CannotStart(f"{self._described(missing)}. Stop what holds it, or move this stack: PORT_OFFSET=100.")

    def release(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _missing(self, names: Sequence[str]) -> list[str]:
        """Those that still cannot be held."""
        for name in names:
            if name not in self._held and (bound := bind(self._place.port(name))) is not None:
                self._held[name] = bound
        return [name for name in names if name not in self._held]

    def _is_listened_on(self, name: str) -> bool:
        return is_listened_on(self._place.port(name))

    def _described(self, names: Sequence[str]) -> str:
        ports = {name: self._place.port(name) for name in names}
        return "; ".join(f"port {port} ({name}) {holder(port)}" for name, port in ports.items())


def bind(port: int) -> socket.socket | None:
    """A socket on that port, or None where another's stands in the way."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    return bound


def is_free(port: int) -> bool:
    """Nobody has it, not even another stack that only holds it: such a port could be bound a second time by `bind`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as alone:
        try:
            alone.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_offset() -> int:
    """An offset at which a whole stack finds its ports free; for stacks that nobody has to find again."""
    for _ in range(200):
        offset = 1000 + secrets.randbelow(HIGHEST_OFFSET - 1000)
        if all(is_free(port + offset) for port in PORTS.values()):
            return offset
    raise CannotStart("No offset was found at which all ports of a stack are free.")
