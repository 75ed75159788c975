"""The gRPC face of reports."""

from datetime import date

from chassis import clock
from chassis.database import Database
from chassis.interceptor import Context
from order_service.reports import queries, wire
from protos.orders.v1 import reports_pb2 as pb
from protos.orders.v1.reports_pb2_grpc import ReportServiceServicer


class ReportServicer(ReportServiceServicer):
    """Tells figures of completed orders."""

    def __init__(self, database: Database, currency: str) -> None:
        self._database = database
        self._currency = currency

    async def GetDailyKpis(self, request: pb.GetDailyKpisRequest, context: Context) -> pb.Kpis:
        """The figures of one day."""
        day = wire.day_of(request.date, "date", clock.now().date())
        return await self._kpis(day, day)

    async def GetRangeKpis(self, request: pb.GetRangeKpisRequest, context: Context) -> pb.Kpis:
        """The figures of several days together."""
        today = clock.now().date()
        first_day = wire.day_of(getattr(request, "from"), "from", today)
        last_day = wire.day_of(request.to, "to", today)
        wire.require_in_order(first_day, last_day)
        return await self._kpis(first_day, last_day)

    async def _kpis(self, first_day: date, last_day: date) -> pb.Kpis:
        kpis = await self._database.aread(lambda connection: queries.kpis(connection, first_day, last_day))
        return wire.kpis_to_proto(kpis, self._currency, clock.now())
