"""The gRPC face of operations.v1, hosted by every service for its own context."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chassis import audit, tracing
from chassis.consumer import Folding
from chassis.database import Database, Row
from chassis.errors import ValidationFailed
from chassis.failpoints import failpoint
from chassis.interceptor import Context
from chassis.operations import letters
from chassis.operations.letters import LetterFilter
from protos.operations.v1 import operations_pb2 as pb
from protos.operations.v1 import operations_pb2_grpc

_ACTOR: Final = "operator"


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """What an operator sees of one context: its dead letters, which the foldings of its consumers apply again; acts."""

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
        wanted = LetterFilter((), request.type, request.order_id, request.topic, request.consumer)
        rows = await self._database.aread(lambda connection: letters.newest(connection, wanted))
        return pb.ListDeadLettersResponse(dead_letters=self._shown(rows))

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, _context: Context
    ) -> pb.ReplayDeadLettersResponse:
        """Apply the keys of the letters that are meant, each from its oldest letter on, until one fails."""
        self._require_this(request.service)
        wanted = _filter_of(request.filter)
        shown = await self._database.aread(lambda connection: letters.newest(connection, wanted))
        matched = await self._database.aread(lambda connection: letters.count(connection, wanted))
        left = matched if request.dry_run else await asyncio.to_thread(self._replay, wanted)
        return pb.ReplayDeadLettersResponse(
            matched=matched,
            replayed=max(0, matched - left),
            still_parked=left,
            dead_letters=self._shown(shown),
        )

    async def DiscardDeadLetters(
        self, request: pb.DiscardDeadLettersRequest, _context: Context
    ) -> pb.DiscardDeadLettersResponse:
        """Give up the letters that are meant, one key after the other."""
        self._require_this(request.service)
        wanted = _filter_of(request.filter)
        if wanted == LetterFilter() and not request.dry_run:  # forgotten; all of them are hardly ever meant
            raise ValidationFailed("the request is not valid", fields={"filter": ["must say which are given up"]})
        shown = await self._database.aread(lambda connection: letters.newest(connection, wanted))
        matched = await self._database.aread(lambda connection: letters.count(connection, wanted))
        gone = 0 if request.dry_run else await asyncio.to_thread(self._discard, wanted, request.reason)
        return pb.DiscardDeadLettersResponse(matched=matched, discarded=gone, dead_letters=self._shown(shown))

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, _context: Context
    ) -> pb.ListAuditEntriesResponse:
        """The newest acts; none when another context is asked for."""
        if request.service not in ("", self._context):
            return pb.ListAuditEntriesResponse()
        rows = await self._database.aread(lambda connection: audit.newest(connection, request.subject, request.action))
        return pb.ListAuditEntriesResponse(entries=[_entry_to_proto(row, self._context) for row in rows])

    def _require_this(self, service: str) -> None:
        if service != self._context:
            raise ValidationFailed("the request is not valid", fields={"service": [f"this is {self._context}"]})

    def _discard(self, wanted: LetterFilter, reason: str) -> int:
        """How many are gone; each key in a transaction of its own, as it is locked."""
        parked = self._database.read(lambda connection: letters.keys(connection, wanted))
        return sum(
            self._database.write(partial(self._discard_of, parked=key, wanted=wanted, reason=reason)) for key in parked
        )

    def _discard_of(self, connection: Connection, parked: Row, wanted: LetterFilter, reason: str) -> int:
        gone = letters.discard(connection, parked, wanted, _ACTOR, reason)
        failpoint(f"{self._context}.discard.before_commit")
        return gone

    def _replay(self, wanted: LetterFilter) -> int:
        """How many of them are still parked afterwards."""
        foldings = self._foldings()
        for row in self._database.write(lambda connection: self._begin(connection, wanted)):
            if (folding := foldings.get(row.consumer)) is None:
                continue
            while folding.retry(row.topic, row.key, by_hand=True):
                continue
        return self._database.read(lambda connection: letters.count(connection, wanted))

    def _begin(self, connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
        details = asdict(wanted)
        audit.note(connection, actor=_ACTOR, action="replay_dead_letters", subject=self._context, details=details)
        return letters.keys(connection, wanted)

    def _shown(self, rows: Sequence[Row]) -> list[pb.DeadLetter]:
        return [_to_proto(row, self._context) for row in rows]


def _filter_of(message: pb.DeadLetterFilter) -> LetterFilter:
    return LetterFilter(tuple(message.ids), message.type, message.order_id, message.topic, message.consumer)


def _entry_to_proto(row: Row, context: str) -> pb.AuditEntry:
    entry = pb.AuditEntry(
        id=row.id,
        service=context,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=orjson.dumps(row.details).decode(),
        trace_id=row.trace_id,
    )
    entry.at.FromDatetime(row.at)
    return entry


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
