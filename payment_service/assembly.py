"""The parts of the service, put together."""

import asyncio

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.run import App
from payment_service.adapters.callbacks import SignedCallbacks
from payment_service.adapters.http import HttpJournal, HttpProvider
from payment_service.adapters.ledger import SimulatedJournal
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.calls import ProviderCalls
from payment_service.commands import PaymentDesk
from payment_service.event_handlers import HANDLERS, PaymentRoom
from payment_service.jobs import Doubts, Reconciliation
from payment_service.ports import PaymentProvider, ProviderJournal
from payment_service.servicer import PaymentServicer
from payment_service.settings import PaymentSettings
from payment_service.simulator.journal import SCHEMA, Journal
from payment_service.simulator.ledger import Ledger
from payment_service.tables import CONTEXT
from protos.payments.v1.payments_pb2_grpc import add_PaymentServiceServicer_to_server


def build(app: App) -> None:
    """Put the service together."""
    settings: PaymentSettings = app.settings
    provider, journal = _asked_over_http(settings) if settings.simulators == "http" else _played_here(app, settings)
    calls = ProviderCalls(
        app.database,
        provider,
        settings.policy,
        in_flight=settings.payment_in_flight,
        wake_relay=app.add_relay().wake,
    )
    app.add_calls(calls.engine)
    _listen(app, calls)
    _serve(app, calls)
    _watch(app, settings, journal)


def _asked_over_http(settings: PaymentSettings) -> tuple[PaymentProvider, ProviderJournal]:
    told = (settings.provider_url, settings.limits, settings.payment_provider_token)
    return HttpProvider(*told), HttpJournal(*told)


def _played_here(app: App, settings: PaymentSettings) -> tuple[PaymentProvider, ProviderJournal]:
    url = settings.payments_simulator_database_url
    books = Database(url, schema=SCHEMA, application_name="payments-simulator", pool_size=2)
    provider = SimulatedProvider(Journal(books, settings.chances))
    app.on_start(lambda: asyncio.to_thread(provider.start))
    app.on_stop(lambda: asyncio.to_thread(provider.stop))
    app.on_stop(lambda: asyncio.to_thread(books.close))
    return provider, SimulatedJournal(Ledger(books))


def _listen(app: App, calls: ProviderCalls) -> None:
    consumer = Consumer(
        app.database,
        app.settings.kafka,
        context=CONTEXT,
        group=CONTEXT,
        topics=["payments.requests"],
        handlers=HANDLERS,
        room=PaymentRoom(calls.payments, app.add_relay().wake),
        rest=6.0,  # by now the stock is held and the client has its answer
    )
    app.add_consumer(consumer)


def _serve(app: App, calls: ProviderCalls) -> None:
    settings: PaymentSettings = app.settings
    desk = PaymentDesk(app.database, calls.payments, settings.policy, app.add_relay().wake)
    callbacks = {"simulated": SignedCallbacks(settings.payment_webhook_secret)}
    app.add_servicer(add_PaymentServiceServicer_to_server, PaymentServicer(app.database, desk, callbacks))


def _watch(app: App, settings: PaymentSettings, journal: ProviderJournal) -> None:
    reconciliation = Reconciliation(
        app.database,
        journal,
        every_seconds=settings.reconcile_seconds,
        grace_seconds=settings.reconcile_grace_seconds,
    )
    app.add_job(reconciliation.job)
    app.add_job(Doubts(app.database).job)
