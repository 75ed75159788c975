"""Runs the payment service: `python -m payment_service`."""

import asyncio
import sys
from pathlib import Path

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.run import App, Service, run
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.calls import ProviderCalls
from payment_service.event_handlers import HANDLERS, PaymentRoom
from payment_service.repository import CONTEXT
from payment_service.servicer import PaymentServicer
from payment_service.settings import PaymentSettings
from payment_service.simulator.journal import SCHEMA, Journal
from protos.payments.v1.payments_pb2_grpc import add_PaymentServiceServicer_to_server

_HERE = Path(__file__).parent


def build(app: App) -> None:
    """Put the service together."""
    settings: PaymentSettings = app.settings
    books = Database(
        settings.payments_simulator_database_url, schema=SCHEMA, application_name="payments-simulator", pool_size=2
    )
    provider = SimulatedProvider(Journal(books, settings.chances))
    relay = app.add_relay()
    calls = ProviderCalls(
        app.database, provider, settings.policy, in_flight=settings.payment_in_flight, wake_relay=relay.wake
    )
    app.add_calls(calls.engine)
    app.add_consumer(
        Consumer(
            app.database,
            settings.kafka,
            context=CONTEXT,
            group=CONTEXT,
            topics=["payments.requests"],
            handlers=HANDLERS,
            room=PaymentRoom(calls.payments, relay.wake),
            rest=6.0,  # by now the stock is held and the client has its answer
        )
    )
    app.add_servicer(add_PaymentServiceServicer_to_server, PaymentServicer(app.database))
    app.on_start(lambda: asyncio.to_thread(provider.start))
    app.on_stop(lambda: asyncio.to_thread(provider.stop))
    app.on_stop(lambda: asyncio.to_thread(books.close))


SERVICE = Service(CONTEXT, PaymentSettings, build, _HERE / "migrations", {SCHEMA: _HERE / "simulator" / "migrations"})

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
