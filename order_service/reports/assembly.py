"""The parts of reports, put together and added to the service."""

import asyncio

from chassis.redis import client
from chassis.run import App
from order_service.reports.adapters.boards import RedisBoardReader, RedisBoardWriter
from order_service.reports.adapters.cache import RedisCache
from order_service.reports.jobs import ReportKeeper
from order_service.reports.servicer import ReportServicer
from order_service.settings import OrderSettings
from protos.orders.v1.reports_pb2_grpc import add_ReportServiceServicer_to_server


def build_reports(app: App, settings: OrderSettings) -> None:
    """Serve reports (role api), and keep them (role jobs)."""
    redis = client(settings.redis)
    app.on_stop(lambda: asyncio.to_thread(redis.close))
    for job in ReportKeeper(app.database, RedisBoardWriter(redis)).jobs:
        app.add_job(job)
    boards, cache = RedisBoardReader(app.redis), RedisCache(app.redis)
    servicer = ReportServicer(app.database, boards, cache, settings.currency)
    app.add_servicer(add_ReportServiceServicer_to_server, servicer)
