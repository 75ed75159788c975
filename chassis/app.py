"""A service's parts, put together: what runs in which role, in which order it starts, and how it stops."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from chassis import broker_health, clock, inbox, tls
from chassis.access.door import Door
from chassis.access.service_token import ServiceToken
from chassis.batcher import CommandFunction, Writer
from chassis.calls import Calls
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.health import Health
from chassis.jobs import Job, JobRunner
from chassis.limits.limits import Limits
from chassis.logs import get_logger
from chassis.migrations import SchemaState, schema_state
from chassis.operations.servicer import OperationsServicer
from chassis.outbox import PACE_SECONDS, Relay
from chassis.redis import Feed, async_client
from chassis.server import AddToServer, Server
from chassis.settings import ServiceSettings
from chassis.sizes import table_sizes
from chassis.telemetry.switch import spans_of
from chassis.troubles import Trouble
from protos.operations.v1.operations_pb2_grpc import add_OperationsServiceServicer_to_server

Hook = Callable[[], Awaitable[None]]

_AGAIN_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0
_PARTITIONS_SECONDS: Final = 3_600.0
_STOP_SECONDS: Final = 10.0
_SCHEMA_SECONDS: Final = 30.0
_SCHEMA_SENTENCES: Final = {
    SchemaState.MISSING: "the schema is missing: run the service with --migrate",
    SchemaState.OLDER: "the schema is older than this release: run the service with --migrate",
    SchemaState.NEWER: "the schema is newer than this release",
}

log = get_logger(__name__)


class Part(Protocol):
    """What runs on a thread of its own."""

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self) -> None:
        """End in order; returns when done."""


class App:
    """One process of a service. `build` adds its parts; each runs where its role is among ROLES.

    `redis` is the asynchronous client, `feed` the change feed; both may be away at any time. `door` finds out who
    calls, `service_token` is what we show to other services (None: nobody asks). `stopping` is set when the stop
    begins: an RPC that only waits may then answer with what it knows, before the drain is over.
    """

    def __init__(self, context: str, settings: Any, migrations: Path) -> None:
        common: ServiceSettings = settings
        self.context = context
        self.settings = settings
        self.roles = common.roles
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self.database = Database(common.database_url_of(context), schema=context, application_name=f"{context}-service")
        self.redis = async_client(common.redis)
        self.feed = Feed(common.redis)
        self._kafka = common.kafka
        self._drain_seconds = common.drain_seconds
        self._migrations = migrations
        self._schema: SchemaState | None = None
        self._looked_at = 0.0
        self._is_api = "api" in self.roles
        checks = {"database": self._check_database, "redis": self._check_redis, "kafka": self._check_kafka}
        self.health = Health(context, checks, needed=("database",) if self._is_api else ())
        self.door = Door.of(common, Limits.of(common, context, common.redis))
        self.service_token = ServiceToken.of(common)
        self.spans = spans_of(common, context)
        self.server = Server(
            context,
            common.grpc_address(context),
            self.health,
            common.max_rpcs_in_flight,
            self.door,
            tls.server_credentials(common),
            shares_port=common.ports_shared == "on",
            spans=self.spans,
            connection_seconds=common.grpc_connection_seconds,
            connection_grace_seconds=common.grpc_connection_grace_seconds,
        )
        self._writers: list[Part] = []
        self._consumers: list[Consumer[Any]] = []
        self._calls: list[Part] = []
        self._jobs: list[Job] = []
        self._job_runner: JobRunner | None = None
        self._relay: Relay | None = None
        self._at_start: list[Hook] = []
        self._at_stop: list[Hook] = []
        self._watching: asyncio.Task[None] | None = None
        operations = OperationsServicer(context, self.database, self._foldings)
        self.add_servicer(add_OperationsServiceServicer_to_server, operations)

    def add_servicer(self, add_to_server: AddToServer, servicer: object) -> None:
        """Serve these RPCs (role api)."""
        if self._is_api:
            self.server.add(add_to_server, servicer)

    def add_consumer(self, consumer: Consumer[Any]) -> None:
        """Read these topics (role worker), and try what it parks again (role jobs)."""
        if not self._consumers:
            self.add_job(Job("inbox partitions", _PARTITIONS_SECONDS, self._renew_partitions))
            self.add_job(table_sizes(self.database, self.context))
        self._consumers.append(consumer)
        consumer.folding.spans = self.spans
        self.add_job(Job(f"{consumer.folding.consumer} retries", _RETRY_SECONDS, consumer.folding.retry_due))

    def add_relay(self, pace_seconds: float = PACE_SECONDS) -> Relay:
        """The relay of this context's outbox (leads in the role relay); the same one when asked again, at its pace."""
        if self._relay is None:
            may_lead = "relay" in self.roles
            self._relay = Relay(self.database, self._kafka, self.context, pace_seconds, may_lead=may_lead)
            self._relay.spans = self.spans
        return self._relay

    def add_job(self, job: Job) -> None:
        """Do this every so often (role jobs)."""
        self._jobs.append(job)

    def add_calls(self, calls: Calls[Any]) -> None:
        """Make these calls (role worker)."""
        calls.spans = self.spans
        self._calls.append(calls)

    def writer(
        self, functions: Mapping[type[Any], CommandFunction], *, name: str = "writer", pace_seconds: float = 0.0
    ) -> Writer:
        """A batcher of commands whose facts the relay is told of; runs in every role."""
        wake = self.add_relay().wake
        writer = Writer(self.database, functions, wake, context=self.context, name=name, pace_seconds=pace_seconds)
        writer.spans = self.spans
        self._writers.append(writer)
        return writer

    def add_batcher(self, batcher: Part) -> None:
        """Run a batcher of questions beside those of commands; in every role."""
        self._writers.append(batcher)

    def on_start(self, hook: Hook) -> None:
        """Run once the schema is there, before consumers and jobs; again while it raises Unavailable."""
        self._at_start.append(hook)

    def on_stop(self, hook: Hook) -> None:
        """Run when everything else has stopped, before the connections go."""
        self._at_stop.append(hook)

    async def listen(self) -> None:
        """Answer RPCs, those of health first of all. Raises RuntimeError when the port is taken."""
        await self.server.start()
        for writer in self._writers:
            writer.start()
        self._watching = asyncio.create_task(self.health.watch())

    async def settle(self) -> None:
        """Wait for the schema, then start what works in the background; needs neither Kafka nor Redis."""
        await self._until_available(self._await_schema)
        if self._consumers:
            await self._until_available(partial(asyncio.to_thread, self._renew_partitions))
        for hook in self._at_start:
            await self._until_available(hook)
        for part in self._background():
            part.start()
        await self.health.started()
        log.info("started", address=self.server.address, roles=sorted(self.roles))

    async def stop(self) -> None:
        """Stop accepting, drain, end the batch under way, leave the group, then let the connections go."""
        self.stopping.set()
        await self.server.stop(self._drain_seconds)
        # Who makes work stops before who does it; the relay last, so that what was decided is still told.
        for parts in (self._writers, [*self._consumers, self._job_runner], self._calls, [self._relay]):
            await asyncio.gather(*(_end(part.stop) for part in parts if part is not None))
        for hook in self._at_stop:
            await hook()
        if self._watching is not None:
            self._watching.cancel()
        await self.door.close()
        await self.redis.aclose()
        self.feed.close()
        await _end(self.database.close)
        if self.spans is not None:
            await _end(self.spans.close)

    def _background(self) -> list[Part]:
        self._job_runner = JobRunner(self.database, self.context, self._jobs)
        parts: list[Part] = []
        if "worker" in self.roles:
            # Calls first: a consumer's first batch may already decide some.
            parts += [*self._calls, *self._consumers]
        if self._relay is not None:
            parts.append(self._relay)  # in every role: where it may not lead, it rings for the one that does
        if "jobs" in self.roles:
            parts.append(self._job_runner)
        return parts

    async def _until_available(self, hook: Hook) -> None:
        while True:
            try:
                return await hook()
            except Unavailable as error:
                log.warning("start waits", reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _await_schema(self) -> None:
        """Raises Unavailable until the schema is as this release needs it."""
        state = await self._schema_now()
        if not state.is_usable:
            raise Unavailable(f"{self.context}: {_SCHEMA_SENTENCES[state]}")

    async def _schema_now(self) -> SchemaState:
        """How the schema stands: looked at now and then, for others migrate it, and always while it is of no use."""
        last = self._schema
        if last is None or not last.is_usable or clock.monotonic() > self._looked_at + _SCHEMA_SECONDS:
            self._schema = last = await asyncio.to_thread(schema_state, self.database, self._migrations)
            self._looked_at = clock.monotonic()
        return last

    def _renew_partitions(self) -> None:
        self.database.write(inbox.renew_partitions)

    def _foldings(self) -> dict[str, Any]:
        return {consumer.folding.consumer: consumer.folding for consumer in self._consumers}

    async def _check_database(self) -> Trouble | None:
        await asyncio.to_thread(self.database.ping)
        state = await self._schema_now()
        if state is SchemaState.CURRENT:
            return None
        trouble = Trouble(f"schema_{state.value}", _SCHEMA_SENTENCES[state])
        if not state.is_usable:
            raise trouble
        return trouble  # every migration suits the previous release, which goes on meanwhile

    async def _check_redis(self) -> None:
        await self.redis.ping()

    async def _check_kafka(self) -> None:
        await broker_health.reach(self._kafka)


async def _end(stop: Callable[[], None]) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await asyncio.to_thread(stop)
    except TimeoutError:
        log.error("a part did not stop in time", part=getattr(stop, "__qualname__", ""))
