"""The life of a service's process: its command line, its start, its signals, its end."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from chassis.app import App
from chassis.logs import configure_logs, get_logger
from chassis.metrics import start_metrics_server
from chassis.migrations import run_migrations
from chassis.settings import ServiceSettings, load_settings, settings_table

__all__ = ["App", "Service", "run"]

log = get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """What makes a service: its context, what it can be told, its parts, and its schema's history.

    `other_schemas` are further schemas it looks after, by name, with the history of each: a simulator's journal.
    """

    context: str
    settings: type[ServiceSettings]
    build: Callable[[App], None]
    migrations: Path
    other_schemas: Mapping[str, Path] = field(default_factory=dict)


def run(service: Service, arguments: Sequence[str]) -> int:
    """Do what the command line asks for; the exit code: 0 in order, 1 failed, 2 a wrong call or setting.

    A service that ran ends the process itself.
    """
    asked = _parser(service).parse_args(arguments)
    if asked.settings:
        print(settings_table(service.settings))
        return 0
    settings = load_settings(service.settings)
    configure_logs(service.context, settings.log_level)
    if asked.migrate:
        return _migrate(service, settings)
    code = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_serve(service, settings))
    # All that must be kept is kept by now; a thread that waits for a peer that never answers must not keep us.
    sys.stdout.flush()
    os._exit(code)


def _parser(service: Service) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {service.settings.__module__.partition('.')[0]}",
        description=f"Runs the service of {service.context} until it is told to stop.",
    )
    parser.add_argument("--settings", action="store_true", help="print what it can be told, and exit")
    parser.add_argument("--migrate", action="store_true", help="make or renew its schema, and exit")
    return parser


def _migrate(service: Service, settings: ServiceSettings) -> int:
    schemas = {service.context: service.migrations, **service.other_schemas}
    try:
        for schema, location in schemas.items():
            run_migrations(schema, settings.database_url_of(schema), settings.database_url, location)
    except (SQLAlchemyError, psycopg.Error) as error:
        log.error("migration failed", schema=schema, error=str(error), error_type=type(error).__name__)
        return 1
    return 0


async def _serve(service: Service, settings: ServiceSettings) -> int:
    stopping = _stop_signal()
    app = App(service.context, settings, service.migrations)
    service.build(app)
    try:
        waits, port = settings.ports_shared == "on", settings.metrics_port_of(service.context)
        start_metrics_server(port, settings.listen_host, settings, waits=waits)
        await app.listen()
    except (OSError, RuntimeError) as error:
        print(f"{service.context} cannot listen: {error}. Is another one running here?", file=sys.stderr)
        return 1
    # What is there now stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # A batch makes thousands of objects and no cycles: looking for these every 700 objects costs a tenth of the work.
    gc.set_threshold(20_000, 20, 50)
    settled = asyncio.create_task(app.settle())
    await asyncio.wait({settled, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if settled.done() and settled.exception() is not None:
        log.error("start failed", exc_info=settled.exception())
        await app.stop()
        return 1
    await stopping
    settled.cancel()
    log.info("stopping")
    await app.stop()
    log.info("stopped")
    return 0


def _stop_signal() -> "asyncio.Future[None]":
    """Done at the first SIGTERM or SIGINT; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def on_signal(number: int) -> None:
        if stopping.done():
            os._exit(128 + number)
        stopping.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stopping
