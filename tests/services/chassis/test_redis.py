"""The change feed: says "look" across processes, and never fails who tells it."""

import asyncio
import time

from chassis import ids
from chassis.redis import Feed
from deploy.local import Infrastructure
from tests.services.chassis.processes import nowhere


def test_what_is_told_is_heard_by_who_listens(infrastructure: Infrastructure) -> None:
    channel = f"feed-{ids.new_id()}"

    async def run() -> None:
        feed = Feed(infrastructure.redis_url)
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def listen() -> None:
            async for message in feed.listen(channel):
                heard.put_nowait(message)

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(10):
            while heard.empty():  # telling before the subscription is made is told to nobody
                feed.tell(channel, "orders: 17")
                await asyncio.sleep(0)
        assert heard.get_nowait() == "orders: 17"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        feed.close()

    asyncio.run(run())


def test_telling_without_redis_neither_raises_nor_takes_time() -> None:
    feed = Feed(f"redis://{nowhere()}/0")
    started_at = time.monotonic()

    for _ in range(1_000):
        feed.tell("anything", "look")

    assert time.monotonic() - started_at < 1
    feed.close()


def test_who_listens_without_redis_goes_on_waiting() -> None:
    async def run() -> None:
        feed = Feed(f"redis://{nowhere()}/0")
        listening = asyncio.ensure_future(anext(feed.listen("anything")))
        done, _ = await asyncio.wait({listening}, timeout=0.2)
        assert not done
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        feed.close()

    asyncio.run(run())
