"""Runs the supplier service: `python -m supplier_service`."""

import asyncio
import sys
from pathlib import Path

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.run import App, Service, run
from protos.suppliers.v1.suppliers_pb2_grpc import add_SupplierServiceServicer_to_server
from supplier_service.adapters.simulated import SimulatedSupplier
from supplier_service.calls import SupplierCalls
from supplier_service.event_handlers import HANDLERS, SupplierRoom
from supplier_service.repository import CONTEXT
from supplier_service.servicer import SupplierServicer
from supplier_service.settings import SupplierSettings
from supplier_service.simulator.journal import SCHEMA, Journal

_HERE = Path(__file__).parent


def build(app: App) -> None:
    """Put the service together."""
    settings: SupplierSettings = app.settings
    books = Database(
        settings.suppliers_simulator_database_url, schema=SCHEMA, application_name="suppliers-simulator", pool_size=4
    )
    relay = app.add_relay()
    calls = SupplierCalls(
        app.database,
        SimulatedSupplier(Journal(books, settings.chances)),
        settings.policy,
        timeout_seconds=settings.supplier_timeout_seconds,
        in_flight=settings.supplier_in_flight,
        wake_relay=relay.wake,
    )
    app.add_calls(calls.engine)
    app.add_consumer(
        Consumer(
            app.database,
            settings.kafka,
            context=CONTEXT,
            group=CONTEXT,
            topics=["suppliers.requests"],
            handlers=HANDLERS,
            room=SupplierRoom(calls.supplier_orders, relay.wake),
        )
    )
    app.add_servicer(add_SupplierServiceServicer_to_server, SupplierServicer(app.database))
    app.on_stop(lambda: asyncio.to_thread(books.close))


SERVICE = Service(CONTEXT, SupplierSettings, build, _HERE / "migrations", {SCHEMA: _HERE / "simulator" / "migrations"})

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
