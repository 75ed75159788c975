"""Questions to the simulated suppliers' books, answered together: one commit for all that came during the last one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from chassis.database import Database, DatabaseAway

T = TypeVar("T")
Question = Callable[[Connection], Any]
Asked = tuple[Question, "asyncio.Future[Any]"]


class Grouping:
    """Answers many questions in one transaction, committed before any of them is answered; for any event loop.

    A question that fails is answered with what it raised, and its neighbours are asked again without it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # By event loop, each of which touches its own alone: so no lock is needed.
        self._waiting: dict[asyncio.AbstractEventLoop, list[Asked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """What the books say. Raises DatabaseAway: then nobody knows what was written."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        if (waiting := self._waiting.get(loop)) is not None:
            waiting.append((question, answer))
        else:
            self._waiting[loop] = [(question, answer)]
            task = loop.create_task(self._answer_all(loop))
            # An event loop itself holds tasks weakly only.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _answer_all(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while asked := self._waiting[loop]:
                self._waiting[loop] = []
                await self._answer(asked)
        finally:
            del self._waiting[loop]

    async def _answer(self, asked: Sequence[Asked]) -> None:
        questions = [question for question, _ in asked]
        writing = asyncio.ensure_future(self._database.awrite(lambda c: [question(c) for question in questions]))
        await asyncio.wait([writing])
        error = writing.exception()
        if error is None:
            for (_, answer), told in zip(asked, writing.result(), strict=True):
                if not answer.done():
                    answer.set_result(told)
        elif len(asked) == 1 or isinstance(error, DatabaseAway):
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for each in asked:
                await self._answer([each])
