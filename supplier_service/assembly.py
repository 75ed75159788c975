"""The parts of the service, put together."""

import asyncio

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.logs import get_logger
from chassis.run import App
from chassis.webhooks import WebhookSecret
from protos.suppliers.v1.suppliers_pb2_grpc import add_SupplierServiceServicer_to_server
from supplier_service import commands, jobs
from supplier_service.adapters.http import HttpSupplier
from supplier_service.adapters.simulated import SimulatedSupplier
from supplier_service.calls import PACE_SECONDS, SupplierCalls
from supplier_service.domain import CONTEXT
from supplier_service.event_handlers import HANDLERS, TOPICS, SupplierRoom
from supplier_service.ports import Supplier
from supplier_service.servicer import SupplierDoor, SupplierServicer
from supplier_service.settings import SupplierSettings
from supplier_service.simulator.journal import SCHEMA, Journal
from supplier_service.simulator.webhooks import Webhooks

log = get_logger(__name__)


class Doorstep:
    """Where the simulated suppliers of this process bring their webhooks: to the door, once there is one."""

    def __init__(self) -> None:
        self.door: SupplierDoor | None = None

    async def post(self, supplier: str, timestamp: str, signature: str, body: bytes) -> None:
        """Bring a signed message. Raises what the door raises."""
        if self.door is not None:
            await self.door.take(supplier, timestamp, signature, body)


def build(app: App) -> None:
    """Put the service together."""
    settings: SupplierSettings = app.settings
    app.add_relay(PACE_SECONDS)  # the first to ask says how far its rounds are apart
    secret, doorstep = WebhookSecret(settings.supplier_webhook_secret), Doorstep()
    calls = _calls(app, settings, _supplier(app, settings, secret, doorstep))
    door = doorstep.door = SupplierDoor(app.writer(commands.functions(calls.supplier_orders)), secret)
    room = SupplierRoom(calls.supplier_orders, app.add_relay().wake)
    app.add_consumer(
        Consumer(
            app.database,
            settings.kafka,
            context=CONTEXT,
            group=CONTEXT,
            topics=TOPICS,
            handlers=HANDLERS,
            room=room,
            pace_seconds=PACE_SECONDS,
        )
    )
    app.add_servicer(add_SupplierServiceServicer_to_server, SupplierServicer(app.database, door))
    app.add_job(jobs.count_open(app.database))


def _supplier(app: App, settings: SupplierSettings, secret: WebhookSecret, doorstep: Doorstep) -> Supplier:
    """Suppliers over HTTP, or simulated in this process."""
    if settings.simulators == "http":
        return HttpSupplier(settings.supplier_address, settings.limits, settings.supplier_token)
    if settings.supplier_url:
        # Else it would be found out by the missing goods.
        log.warning("suppliers are simulated here: SUPPLIER_URL is asked only with SIMULATORS=http")
    return _simulated(app, settings, secret, doorstep)


def _simulated(app: App, settings: SupplierSettings, secret: WebhookSecret, doorstep: Doorstep) -> Supplier:
    """The simulated suppliers; they keep books of their own, and send webhooks where a secret is shared with them."""
    books = Database(
        settings.suppliers_simulator_database_url, schema=SCHEMA, application_name="suppliers-simulator", pool_size=4
    )
    app.on_stop(lambda: asyncio.to_thread(books.close))
    journal = Journal(books, settings.chances)
    has_secret = bool(settings.supplier_webhook_secret)
    return SimulatedSupplier(journal, Webhooks(journal, secret, doorstep.post, app.loop) if has_secret else None)


def _calls(app: App, settings: SupplierSettings, supplier: Supplier) -> SupplierCalls:
    calls = SupplierCalls(
        app.database,
        supplier,
        settings.policy,
        timeout_seconds=settings.supplier_timeout_seconds,
        in_flight=settings.supplier_in_flight,
        wake_relay=app.add_relay().wake,
        closing=supplier.close if isinstance(supplier, HttpSupplier) else None,
    )
    app.add_calls(calls.engine)
    return calls
