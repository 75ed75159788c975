"""Runs the gateway: REST on uvicorn, metrics on a port of their own, until it is told to stop."""

import argparse
import signal
import sys
from collections.abc import Sequence

from chassis.logs import configure_logs
from chassis.metrics import start_metrics_server
from chassis.settings import load_settings, settings_table
from gateway.rest.server import Server, listen
from gateway.settings import GatewaySettings


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; the exit code: 0 in order, 1 failed, 2 a wrong call or setting."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Serves REST until it is told to stop.")
    parser.add_argument("--settings", action="store_true", help="print what it can be told, and exit")
    if parser.parse_args(arguments).settings:
        print(settings_table(GatewaySettings))
        return 0
    settings = load_settings(GatewaySettings)
    configure_logs("gateway", settings.log_level)
    try:
        is_shared = settings.ports_shared == "on"
        listening = listen(settings.listen_host, settings.port, is_shared=is_shared)
        start_metrics_server(settings.metrics_port_of("gateway"), settings.listen_host, settings, waits=is_shared)
    except OSError as error:
        print(f"gateway cannot listen: {error}. Is another one running here?", file=sys.stderr)
        return 1
    server = Server(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        # When it has stopped, uvicorn sends itself again the signal that it stopped for.
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listening])
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
