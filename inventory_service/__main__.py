"""Runs the inventory service: `python -m inventory_service`."""

import sys
from functools import partial
from pathlib import Path

from chassis.consumer import Consumer
from chassis.locks import RedisLock
from chassis.run import App, Service, run
from inventory_service import commands, jobs
from inventory_service.domain import CONTEXT
from inventory_service.event_handlers import HANDLERS, TOPICS
from inventory_service.repository import Stockrooms
from inventory_service.servicer import CatalogueServicer, InventoryServicer
from inventory_service.settings import InventorySettings
from protos.inventory.v1.inventory_pb2_grpc import (
    add_CatalogueServiceServicer_to_server,
    add_InventoryServiceServicer_to_server,
)


def build(app: App) -> None:
    """Put the service together."""
    settings: InventorySettings = app.settings
    relay = app.add_relay()
    stockrooms = Stockrooms(settings.reservation_seconds, relay.wake)
    writer = app.writer(commands.functions(stockrooms))
    catalogue = CatalogueServicer(app.database, writer, settings.currency)
    inventory = InventoryServicer(
        app.database,
        writer,
        RedisLock(app.redis, CONTEXT),
        reservation_seconds=settings.reservation_seconds,
        lock_wait_ms=settings.lock_wait_ms,
    )
    app.add_servicer(add_CatalogueServiceServicer_to_server, catalogue)
    app.add_servicer(add_InventoryServiceServicer_to_server, inventory)
    app.add_consumer(
        Consumer(
            app.database,
            settings.kafka,
            context=CONTEXT,
            group=CONTEXT,
            topics=TOPICS,
            handlers=HANDLERS,
            room=stockrooms,
        )
    )
    free_expired = partial(commands.free_expired, stockrooms)
    app.add_job(jobs.sweep(app.database, free_expired, settings.sweep_seconds, relay.wake))
    app.add_job(jobs.ledger_check(app.database, settings.ledger_check_seconds))
    app.add_job(jobs.held_check(app.database))


SERVICE = Service(CONTEXT, InventorySettings, build, Path(__file__).parent / "migrations")

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
