"""Many small requests as few large ones: what comes in while one batch is at work makes up the next.

A lone request goes at once, and under load the batches grow by themselves.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from chassis import clock
from chassis.database import Database, DatabaseAway, is_worth_another_try
from chassis.errors import Overloaded, Refusal
from chassis.logs import get_logger
from chassis.metrics import BatcherMetrics

C = TypeVar("C")
R = TypeVar("R")
_Waiting = tuple[C, asyncio.Future[R]]

log = get_logger(__name__)


class Batcher(Generic[C, R]):
    """Hands commands to `work` in batches, on one thread; `work` gives each command its result or its refusal.

    At most `max_queue` commands wait; beyond that they are refused with Overloaded. Batches are `pace_seconds` apart.
    `only_awaited` is for questions: one whose asker has gone is not worked on, so that a storm of retries costs no more
    than its last wave.
    """

    def __init__(
        self,
        work: Callable[[Sequence[C]], Sequence[R | Exception]],
        *,
        context: str,
        name: str,
        max_batch: int = 200,
        max_queue: int = 10_000,
        only_awaited: bool = False,
        pace_seconds: float = 0.0,
    ) -> None:
        self._work = work
        self._only_awaited = only_awaited
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._metrics = BatcherMetrics(context, name)
        self._queue: deque[_Waiting[C, R]] = deque()
        self._filled = threading.Condition()
        self._is_stopping = False
        self._pace = clock.Pace(pace_seconds, self._rest)
        self._thread = threading.Thread(target=self._run, name=f"{context}-{name}", daemon=True)

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Work off what waits, then return."""
        with self._filled:
            self._is_stopping = True
            self._filled.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    async def submit(self, command: C) -> R:
        """The command's result; raises its refusal, or Overloaded at once when too many wait."""
        return await self.submit_many([command])[0]

    def submit_many(self, commands: Sequence[C]) -> "list[asyncio.Future[R]]":
        """A future per command, in order; call it on the event loop. Raises Overloaded for all of them."""
        loop = asyncio.get_running_loop()
        waiting: list[_Waiting[C, R]] = [(command, loop.create_future()) for command in commands]
        with self._filled:
            if len(self._queue) + len(waiting) > self._max_queue or self._is_stopping:
                raise Overloaded("too many requests are waiting; try again shortly")
            self._queue.extend(waiting)
            self._filled.notify()
        return [future for _, future in waiting]

    def _run(self) -> None:
        while batch := self._next_batch():
            with self._metrics.batch(len(batch)):
                results = self._results([command for command, _ in batch])
            batch[0][1].get_loop().call_soon_threadsafe(_settle, [future for _, future in batch], results)

    def _next_batch(self) -> list[_Waiting[C, R]]:
        with self._filled:
            while True:
                while not self._queue and not self._is_stopping:
                    self._filled.wait()
                self._pace.begin()
                batch: list[_Waiting[C, R]] = []
                while self._queue and len(batch) < self._max_batch:
                    waiting = self._queue.popleft()
                    if not (self._only_awaited and waiting[1].cancelled()):
                        batch.append(waiting)
                if batch or self._is_stopping:
                    return batch

    def _rest(self, seconds: float) -> None:
        self._filled.wait_for(lambda: self._is_stopping, seconds)

    def _results(self, commands: Sequence[C]) -> Sequence[R | Exception]:
        try:
            return self._work(commands)
        except Exception as error:  # an edge: whoever waits must get an answer
            if not isinstance(error, Refusal):
                log.exception("a batch failed", batch=len(commands), error_type=type(error).__name__)
            return [error] * len(commands)


def _settle(futures: "Sequence[asyncio.Future[R]]", results: Sequence[R | Exception]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.cancelled():
            continue  # a client that went away cancels nobody, and nothing
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


CommandFunction = Callable[[Any, Sequence[Any]], Sequence[Any]]
"""`function(connection, commands)`: one transaction for a batch; a result or a refusal for each command."""


class Writer(Batcher[Any, Any]):
    """The batcher of a service's commands: one transaction per batch and kind of command.

    A batch that fails is halved until the command that breaks it stands alone, as in the consumer.
    """

    def __init__(
        self,
        database: Database,
        functions: Mapping[type[Any], CommandFunction],
        committed: Callable[[], None],
        *,
        context: str,
        name: str = "writer",
        pace_seconds: float = 0.0,
    ) -> None:
        super().__init__(self._work_by_kind, context=context, name=name, pace_seconds=pace_seconds)
        self._database = database
        self._functions = functions
        self._committed = committed

    def _work_by_kind(self, commands: Sequence[Any]) -> Sequence[Any]:
        results: list[Any] = [None] * len(commands)
        for kind in dict.fromkeys(type(command) for command in commands):
            places = [place for place, command in enumerate(commands) if type(command) is kind]
            done = self._in_transaction(self._functions[kind], [commands[place] for place in places])
            for place, result in zip(places, done, strict=True):
                results[place] = result
        self._committed()
        return results

    def _in_transaction(self, function: CommandFunction, commands: Sequence[Any]) -> Sequence[Any]:
        try:
            return self._database.write(lambda connection: function(connection, commands))
        except DatabaseAway as error:
            return [error] * len(commands)
        except Exception as error:  # an edge: one command must not take its neighbours down
            if len(commands) == 1:
                return [self._told(error)]
            middle = len(commands) // 2
            return [
                *self._in_transaction(function, commands[:middle]),
                *self._in_transaction(function, commands[middle:]),
            ]

    @staticmethod
    def _told(error: Exception) -> Exception:
        if isinstance(error, Refusal):
            return error
        if is_worth_another_try(error):
            return Overloaded("the rows this needs are busy; try again shortly")
        log.error("a command failed", exc_info=error, error_type=type(error).__name__)
        return error
