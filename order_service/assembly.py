"""The parts of the service, put together."""

from functools import partial
from typing import Final

from chassis import tls
from chassis.consumer import Consumer
from chassis.run import App
from order_service.adapters.catalogue import InventoryCatalogue
from order_service.commands import (
    CancelOrder,
    PlaceOrder,
    Placing,
    RefundOrder,
    ResumeOrder,
    cancel_orders,
    refund_orders,
    resume_orders,
)
from order_service.event_handlers import HANDLERS, PRODUCT_HANDLERS, PRODUCT_TOPICS, TOPICS, OrderRoom, ProductRoom
from order_service.feed import Announcer, Waiters
from order_service.imports.assembly import build_imports
from order_service.jobs import Census, Patrol, sku_index_job
from order_service.live.assembly import build_live
from order_service.live.feed import Tail
from order_service.live.servicer import LiveServicer
from order_service.metrics import OrderMetrics
from order_service.privacy.assembly import build_privacy
from order_service.reports.assembly import build_reports
from order_service.servicer import OrderServicer, PlacingDesk, StuckOrderServicer, order_reader
from order_service.settings import OrderSettings
from order_service.tables import CONTEXT
from protos.orders.v1.orders_pb2_grpc import add_OrderServiceServicer_to_server
from protos.orders.v1.stuck_pb2_grpc import add_StuckOrderServiceServicer_to_server

_CHANGES_PACE_SECONDS: Final = 0.05
"""How far cancels, refunds and resumes are apart where many ask: one alone goes at once."""


def build(app: App) -> None:
    """Put the service together."""
    settings: OrderSettings = app.settings
    placing = Placing(settings.currency, settings.default_payment_method)
    credentials = tls.credentials_of(settings)
    catalogue = InventoryCatalogue(settings.address_of("inventory"), credentials, app.service_token)
    app.on_stop(catalogue.close)
    metrics, waiters = OrderMetrics(), Waiters(app.database, app.loop, settings.max_waiting)
    live, tail = build_live(app, settings.max_watching)
    _serve(app, placing, catalogue, waiters, metrics, live)
    _listen(app, waiters, metrics, tail)
    app.add_job(Patrol(app.database, app.add_relay().wake).job)
    app.add_job(Census(app.database).job)
    app.add_job(sku_index_job(app.database))
    build_imports(app, settings, placing, catalogue, metrics.imported)
    build_reports(app, settings)
    build_privacy(app)


def _serve(
    app: App,
    placing: Placing,
    catalogue: InventoryCatalogue,
    waiters: Waiters,
    metrics: OrderMetrics,
    live: LiveServicer,
) -> None:
    writer = app.writer({PlaceOrder: placing.place_orders})
    # Apart from placing, which else would wait with them for the locks of their orders.
    changes = app.writer(
        {CancelOrder: cancel_orders, RefundOrder: refund_orders, ResumeOrder: resume_orders},
        name="changes",
        pace_seconds=_CHANGES_PACE_SECONDS,
    )
    reader = order_reader(app.database, CONTEXT)
    app.add_batcher(reader)
    desk = PlacingDesk(app.database, writer, catalogue, waiters, metrics, placing.currency)
    servicer = OrderServicer(app.database, desk, changes, reader, metrics, app.door, live)
    app.add_servicer(add_OrderServiceServicer_to_server, servicer)
    app.add_servicer(add_StuckOrderServiceServicer_to_server, StuckOrderServicer(app.database, changes))


def _listen(app: App, waiters: Waiters, metrics: OrderMetrics, tail: Tail) -> None:
    announcer = Announcer(app.feed, waiters.look, tail.look)
    app.on_start(announcer.start)
    app.on_stop(announcer.stop)
    room = OrderRoom((app.add_relay().wake, announcer.announce, tail.stir), (waiters.decide, metrics.stepped))
    reads = partial(Consumer, app.database, app.settings.kafka, context=CONTEXT)
    app.add_consumer(reads(group=CONTEXT, topics=TOPICS, handlers=HANDLERS, room=room))
    app.add_consumer(reads(group="orders.prices", topics=PRODUCT_TOPICS, handlers=PRODUCT_HANDLERS, room=ProductRoom()))
