"""Runs the gateway: REST on uvicorn, metrics on a port of their own, until it is told to stop."""

import gc
import sys
from collections.abc import Sequence
from typing import Final

import uvicorn

from chassis.logs import configure_logs, get_logger
from chassis.metrics import start_metrics_server
from chassis.settings import load_settings, settings_table
from gateway.rest.application import Gateway
from gateway.rest.protocol import OneWriteProtocol
from gateway.settings import GatewaySettings

_KEEP_ALIVE_SECONDS: Final = 65
_YOUNG_OBJECTS: Final = 20_000

log = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """`--settings` prints what can be set; without it, serve. Exit code 1 when a port is taken."""
    if "--settings" in argv:
        print(settings_table(GatewaySettings))
        return 0
    settings = load_settings(GatewaySettings)
    configure_logs("gateway", settings.log_level)
    start_metrics_server(settings.metrics_port_of("gateway"), settings.listen_host)
    server = uvicorn.Server(server_config(settings))
    # What is made at start stays; requests make many small objects and hardly any cycles.
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    server.run()
    return 0 if server.started else 1


def server_config(settings: GatewaySettings) -> uvicorn.Config:
    """How uvicorn serves: its own C parts, our logs, requests under way finished before it stops."""
    return uvicorn.Config(
        Gateway(settings),
        host=settings.listen_host,
        port=settings.rest_port,
        loop="uvloop",
        http=OneWriteProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds) or None,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
