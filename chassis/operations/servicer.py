"""The gRPC face of operations.v1, hosted by every service for its own context."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from chassis import audit, tracing
from chassis.consumer import Folding
from chassis.database import Database, Row
from chassis.errors import ValidationFailed
from chassis.interceptor import Context
from chassis.operations import letters
from chassis.operations.letters import LetterFilter
from protos.operations.v1 import operations_pb2 as pb
from protos.operations.v1 import operations_pb2_grpc

_ACTOR: Final = "operator"


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Shows the dead letters of one context, and applies them again with the foldings of its consumers, by group."""

    def __init__(self, context: str, database: Database, foldings: Callable[[], Mapping[str, Folding[Any]]]) -> None:
        self._context = context
        self._database = database
        self._foldings = foldings

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, _context: Context
    ) -> pb.ListDeadLettersResponse:
        """The newest of them; none when another context is asked for."""
        if request.service not in ("", self._context):
            return pb.ListDeadLettersResponse()
        wanted = LetterFilter(type=request.type, order_id=request.order_id)
        rows = await self._database.aread(lambda connection: letters.newest(connection, wanted))
        return pb.ListDeadLettersResponse(dead_letters=self._shown(rows))

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, _context: Context
    ) -> pb.ReplayDeadLettersResponse:
        """Apply the keys of the letters that are meant, each from its oldest letter on, until one fails."""
        if request.service != self._context:
            raise ValidationFailed("the request is not valid", fields={"service": [f"this is {self._context}"]})
        wanted = LetterFilter(tuple(request.filter.ids), request.filter.type, request.filter.order_id)
        shown = await self._database.aread(lambda connection: letters.newest(connection, wanted))
        matched = await self._database.aread(lambda connection: letters.count(connection, wanted))
        left = matched if request.dry_run else await asyncio.to_thread(self._replay, wanted)
        return pb.ReplayDeadLettersResponse(
            matched=matched,
            replayed=max(0, matched - left),
            still_parked=left,
            dead_letters=self._shown(shown),
        )

    def _replay(self, wanted: LetterFilter) -> int:
        """How many of them are still parked afterwards."""
        foldings = self._foldings()
        for row in self._database.write(lambda connection: self._begin(connection, wanted)):
            if (folding := foldings.get(row.consumer)) is None:
                continue
            while folding.retry(row.topic, row.key):
                continue
        return self._database.read(lambda connection: letters.count(connection, wanted))

    def _begin(self, connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
        details = {"ids": list(wanted.ids), "type": wanted.type, "order_id": wanted.order_id}
        audit.note(connection, actor=_ACTOR, action="replay_dead_letters", subject=self._context, details=details)
        return letters.keys(connection, wanted)

    def _shown(self, rows: Sequence[Row]) -> list[pb.DeadLetter]:
        return [_to_proto(row, self._context) for row in rows]


def _to_proto(row: Row, context: str) -> pb.DeadLetter:
    letter = pb.DeadLetter(
        id=row.id,
        service=context,
        consumer_group=row.consumer,
        topic=row.topic,
        partition=row.partition,
        offset=row.record_offset,
        key=row.key,
        type=row.type,
        reason=row.reason,
        error=row.error,
        attempts=row.attempts,
        trace_id=tracing.trace_id_of(row.traceparent),
    )
    letter.parked_at.FromDatetime(row.parked_at)
    if row.next_try_at is not None:
        letter.next_try_at.FromDatetime(row.next_try_at)
    return letter
