"""Simulated parties served over HTTP in the test's own process, on a port of their own."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx
import uvicorn

from chassis.simulation.process import World, server_config
from chassis.simulation.switch import Switch
from tests.waiting import until


class Served:
    """A simulated party while it is entered; `stop` and `start` play its absence, on the same port."""

    def __init__(self, build: Callable[[Switch], World]) -> None:
        self._build = build
        self._port = _free_port()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def behave(self, **behaviour: int) -> None:
        """Switch it so, over its control path; what is not named goes back to calm."""
        httpx.delete(f"{self.url}/simulation").raise_for_status()
        httpx.put(f"{self.url}/simulation", json=behaviour).raise_for_status()

    def start(self) -> None:
        """Returns when it answers."""
        switch = Switch()
        self._server = uvicorn.Server(server_config(lambda: self._build(switch), switch))
        self._thread = threading.Thread(target=self._serve, args=[self._server], name="simulated party")
        self._thread.start()
        assert until(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        """Returns when it is gone."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(20)
        self._server = self._thread = None

    def _serve(self, server: uvicorn.Server) -> None:
        server.run(sockets=[socket.create_server(("127.0.0.1", self._port))])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
