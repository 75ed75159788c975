"""Ports of second and further instances: taken where no stack has its own and the kernel gives none away."""

import socket
from typing import Final

from deploy.local.refusals import CannotStart

RANGE: Final = range(20_000, 32_000)
"""Above the first ports of every stack, below those that the kernel takes for outgoing connections."""


class FurtherPorts:
    """By the name of an instance: the port at which it answers, and that of its figures; held as long as it may run."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[socket.socket, socket.socket]] = {}

    def of(self, name: str) -> tuple[int, int]:
        """Its ports, taken when they are asked for first. Raises CannotStart when none is left."""
        if name not in self._held:
            self._held[name] = (free_socket(), free_socket())
        face, metrics = self._held[name]
        return int(face.getsockname()[1]), int(metrics.getsockname()[1])

    def release(self, name: str) -> None:
        """It runs no more."""
        for held in self._held.pop(name, ()):
            held.close()

    def release_all(self) -> None:
        for name in list(self._held):
            self.release(name)


def free_socket() -> socket.socket:
    """Bound where nobody else is, and never listened on: others are refused, while a child of ours may listen."""
    for port in RANGE:
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        # Only now: with it from the start, two stacks could hold one port.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return held
    raise CannotStart(f"No port from {RANGE.start} to {RANGE.stop - 1} is free for a further instance.")
