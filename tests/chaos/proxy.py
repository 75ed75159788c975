"""A TCP proxy for one link between two processes, through which the link can be made slow, silent, half-open or cut."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

PIECE: Final = 65_536
SLICE: Final = 50
_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, as a peer does that knows nothing of the connection."""


class Link:
    """One link: what connects to `port` reaches `target`, as the link's present faults let it."""

    def __init__(self, name: str, target: tuple[str, int]) -> None:
        self.name, self.target = name, target
        self.port = 0
        self.delay_seconds = 0.0
        self.refuses = False
        self.piece = PIECE
        self._open = asyncio.Event()  # cleared: nothing passes, and nothing is lost
        self._open.set()
        self._way_back = asyncio.Event()  # cleared: nothing passes from the target to the caller
        self._way_back.set()
        self._pairs: set[Pair] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.heal()
        await self.reset()

    async def delay(self, seconds: float) -> None:
        """Every piece takes so much longer, in both directions."""
        self.delay_seconds = seconds

    async def drop(self) -> None:
        """Nothing passes until the link is healed, as if the packets were lost: new connections included."""
        self._open.clear()

    async def one_way(self) -> None:
        """What callers say arrives, and nothing of what they are answered, until the link is healed."""
        self._way_back.clear()

    async def slice(self) -> None:
        """Everything comes in small pieces."""
        self.piece = SLICE

    async def half_open(self) -> None:
        """The target's side of every connection is gone; the other side hears nothing of it until the link heals."""
        self._open.clear()
        for pair in self._pairs:
            pair.lose_target()

    async def reset(self) -> None:
        """Every connection is cut at once; new ones are let through."""
        for pair in list(self._pairs):
            pair.cut()

    async def refuse(self) -> None:
        """Every connection is cut at once, and so is every new one until the link is healed."""
        self.refuses = True
        await self.reset()

    async def heal(self) -> None:
        """As if nothing had been; connections that lost their other side are cut."""
        self.delay_seconds, self.refuses, self.piece = 0.0, False, PIECE
        self._open.set()
        self._way_back.set()
        for pair in list(self._pairs):
            if pair.is_half_open:
                pair.cut()

    async def pass_on(self, *, is_answer: bool = False) -> None:
        """Returns when the next piece may go on."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._open.wait()
        if is_answer:
            await self._way_back.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = Pair(self, writer)
        self._pairs.add(pair)
        try:
            if self.refuses:
                pair.cut()
            else:
                await pair.serve(reader)
        finally:
            self._pairs.discard(pair)
            pair.end()


class Pair:
    """One connection through a link: the caller's side and the target's."""

    def __init__(self, link: Link, caller: asyncio.StreamWriter) -> None:
        self._link, self._caller = link, caller
        self._target: asyncio.StreamWriter | None = None
        self.is_half_open = False

    async def serve(self, from_caller: asyncio.StreamReader) -> None:
        """Carries pieces both ways until one side ends, and then ends the other."""
        await self._link.pass_on()
        try:
            from_target, self._target = await asyncio.open_connection(*self._link.target)
        except OSError:
            return
        ways = [self._carry(from_caller, self._target), self._carry(from_target, self._caller, is_answer=True)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        await self._link.pass_on()  # nor does the end of one side reach the other through a dead link

    def lose_target(self) -> None:
        self.is_half_open = True
        if self._target is not None:
            abort(self._target)

    def end(self) -> None:
        """Both sides, when what was said has been delivered."""
        self._caller.close()
        if self._target is not None:
            self._target.close()

    def cut(self) -> None:
        """Both sides at once."""
        abort(self._caller)
        if self._target is not None:
            abort(self._target)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(self._link.piece):
                await self._link.pass_on(is_answer=is_answer)
                writer.write(piece)
                await writer.drain()


def abort(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset."""
    with suppress(OSError):
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()


class Proxy:
    """Links that live in a thread of their own; ends with `close`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.links: dict[str, Link] = {}

    def open(self, name: str, target: tuple[str, int]) -> Link:
        """A new link; its `port` is what the caller is to connect to."""
        self.links[name] = link = Link(name, target)
        self.do(link.listen())
        return link

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs something of a link, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def heal(self) -> None:
        for link in self.links.values():
            self.do(link.heal())

    def close(self) -> None:
        for link in self.links.values():
            self.do(link.close())
        self.do(_ended_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _ended_tasks() -> None:
    """Cancels what still waits, so that nothing is left behind when the loop ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.05)  # transports close in the turns after that
