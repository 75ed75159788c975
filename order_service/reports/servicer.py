"""The gRPC face of reports."""

import asyncio
from datetime import date
from functools import partial
from typing import Final

from chassis import clock, tracing
from chassis.access.caller import current
from chassis.database import Database
from chassis.interceptor import Context
from chassis.server import mark_accepted
from order_service.reports import commands, queries, wire
from order_service.reports.domain import CUSTOMERS, PRODUCTS, Board, Kpis, NotRanked, Place
from order_service.reports.ports import BoardReader, Cache
from protos.orders.v1 import reports_pb2 as pb
from protos.orders.v1.reports_pb2_grpc import ReportServiceServicer

LIMIT: Final = 10
_PAST_DAY_SECONDS: Final = 24 * 3_600
_OTHER_DAYS_SECONDS: Final = 3_600
_PRESENT_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1


class ReportServicer(ReportServiceServicer):
    """Tells figures of completed orders."""

    def __init__(self, database: Database, boards: BoardReader, cache: Cache, currency: str) -> None:
        self._database = database
        self._boards = boards
        self._cache = cache
        self._currency = currency
        self._present: pb.RealtimeKpis | None = None
        self._present_until = 0.0
        self._counting = asyncio.Lock()

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

    async def GetRealtimeKpis(self, request: pb.GetRealtimeKpisRequest, context: Context) -> pb.RealtimeKpis:
        """How things stand; counted at most once a second, however many ask."""
        async with self._counting:
            if self._present is None or clock.monotonic() >= self._present_until:
                at = clock.now()
                present = await self._database.aread(lambda connection: queries.present(connection, at))
                self._present = wire.present_to_proto(present, at)
                self._present_until = clock.monotonic() + _PRESENT_SECONDS
            return self._present

    async def ListCustomerRanks(
        self, request: pb.ListCustomerRanksRequest, context: Context
    ) -> pb.ListCustomerRanksResponse:
        """The customers who spent most."""
        places = await self._top(CUSTOMERS, "spent", request.limit or LIMIT)
        customers = [wire.customer_rank_to_proto(place, self._currency) for place in places]
        return pb.ListCustomerRanksResponse(customers=customers)

    async def GetCustomerRank(self, request: pb.GetCustomerRankRequest, context: Context) -> pb.CustomerRank:
        """Where a customer stands. Raises NotRanked."""
        customer_id = wire.customer_of(request)
        place = await self._place_of(CUSTOMERS, "spent", customer_id)
        return wire.customer_rank_to_proto(place, self._currency)

    async def ListProductRanks(
        self, request: pb.ListProductRanksRequest, context: Context
    ) -> pb.ListProductRanksResponse:
        """The products that sold best."""
        places = await self._top(PRODUCTS, request.by or "units", request.limit or LIMIT)
        skus = [place.figures.member for place in places]
        names = await self._database.aread(lambda connection: queries.names_of(connection, skus))
        products = [wire.product_rank_to_proto(place, names, self._currency) for place in places]
        return pb.ListProductRanksResponse(products=products)

    async def RebuildReports(self, request: pb.RebuildReportsRequest, context: Context) -> pb.Rebuild:
        """Count everything anew; the job does it, and this does not wait for it."""
        actor, traceparent = current.get().actor, tracing.current.get()
        await self._database.awrite(lambda connection: commands.ask_to_rebuild(connection, actor, traceparent))
        mark_accepted(context)
        return wire.rebuild_to_proto(await self._database.aread(queries.rebuild))

    async def GetRebuild(self, request: pb.GetRebuildRequest, context: Context) -> pb.Rebuild:
        """Where the rebuild stands."""
        return wire.rebuild_to_proto(await self._database.aread(queries.rebuild))

    async def _kpis(self, first_day: date, last_day: date) -> pb.Kpis:
        """Rule (protocols: reporting): what is cached lies under the days' revision, which the job raises as it counts.

        The revision is read before the figures are: they may be newer than it says, and are never older. While a mark
        of these days waits, the revision tells nothing: then nothing cached is believed, and nothing is cached.
        """
        days = await self._database.aread(lambda connection: queries.revision_of(connection, first_day, last_day))
        key = f"kpis:{first_day}:{last_day}:{days.generation}:{days.revision}"
        if days.is_told and (kept := await self._cache.find(key)):
            return wire.kpis_to_proto(*wire.kpis_of_json(kept, first_day, last_day), self._currency)
        at = clock.now()
        kpis = await self._database.aread(lambda connection: queries.kpis(connection, first_day, last_day))
        if days.is_told:
            await self._cache.keep(key, wire.kpis_to_json(kpis, at), _seconds_to_keep(kpis, at.date()))
        return wire.kpis_to_proto(kpis, at, self._currency)

    async def _top(self, board: Board, measure: str, limit: int) -> list[Place]:
        """Rule (protocols: reporting): without the marker in Redis the answer comes from Postgres, and is the same."""
        where = await self._where()
        if where.is_in_redis:
            places = await self._boards.top(where.edition, board, measure, limit)
            if places is not None:
                return places
        top = partial(queries.top, generation=where.generation, board=board, measure=measure, limit=limit)
        return await self._database.aread(top)

    async def _where(self) -> queries.Boards:
        """Where leaderboards are read, once what was completed before this question is in them; a second at most."""
        asked_at = clock.monotonic()
        where = await self._database.aread(queries.boards)
        while (waited := clock.monotonic() - asked_at) < _SETTLE_SECONDS and where.is_settling(waited):
            await asyncio.sleep(_LOOK_SECONDS)
            where = await self._database.aread(queries.boards)
        return where

    async def _place_of(self, board: Board, measure: str, member: str) -> Place:
        where = await self._where()
        if where.is_in_redis:
            places = await self._boards.place_of(where.edition, board, measure, member)
            if places is not None:
                return _only(places, member)
        place_of = partial(queries.place_of, generation=where.generation, board=board, measure=measure, member=member)
        return await self._database.aread(place_of)


def _only(places: list[Place], member: str) -> Place:
    if not places:
        raise NotRanked(f"nothing of {member} was completed")
    return places[0]


def _seconds_to_keep(kpis: Kpis, today: date) -> int:
    is_past_day = kpis.first_day == kpis.last_day < today
    return _PAST_DAY_SECONDS if is_past_day else _OTHER_DAYS_SECONDS
