"""What waits for one client, and where it goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.live.happenings import Happening
from gateway.live.listener import MOST, TOO_SLOW, Listener
from gateway.rest.encoding import Writers
from protos.orders.v1 import orders_pb2 as pb

EVENT: Any = pb.OrderEvent.DESCRIPTOR
WRITE = Writers().of(EVENT)


def a_happening(id_: str) -> Happening:
    return Happening(pb.OrderEvent(id=id_, type="OrderPlaced", customer_id="c-17"), WRITE)


def with_a_listener(scenario: Callable[[Listener], Awaitable[None]]) -> None:
    async def run() -> None:
        added = pb.AddedWatch(watch_id=1, request=pb.WatchOrdersRequest(customer_id="c-17", last_event_id="5"))
        async with asyncio.timeout(10):
            await scenario(Listener(added, asyncio.get_running_loop().create_future()))

    asyncio.run(run())


def test_a_client_begins_where_it_joined_whatever_waits_for_it() -> None:
    async def scenario(listener: Listener) -> None:
        listener.has_joined("5")
        listener.offer(a_happening("6"))
        listener.has_joined("9")

        assert (listener.begin, listener.position) == ("5", "6")

    with_a_listener(scenario)


def test_a_client_that_does_not_take_is_cut_off_behind_what_waits() -> None:
    async def scenario(listener: Listener) -> None:
        for number in range(MOST + 3):
            listener.offer(a_happening(str(number)))

        given = await listener.next() or []
        assert [each.id for each in given] == [str(number) for number in range(MOST)]
        assert (listener.over, listener.position) == (TOO_SLOW, str(MOST - 1))
        listener.offer(a_happening("later"))
        assert await listener.next() is None

    with_a_listener(scenario)


def test_a_sign_of_life_gives_way_to_news() -> None:
    async def scenario(listener: Listener) -> None:
        listener.beat()
        assert await listener.next() == []
        listener.beat()
        news = a_happening("6")
        listener.offer(news)
        assert await listener.next() == [news]
        waits = asyncio.create_task(listener.next())
        await asyncio.sleep(0)
        assert not waits.done()
        listener.end("gone")
        assert await waits is None

    with_a_listener(scenario)


def test_what_has_no_id_does_not_move_a_client_on() -> None:
    async def scenario(listener: Listener) -> None:
        reset = a_happening("")
        listener.offer(reset)
        assert listener.position == "5"
        assert reset.lines.startswith(b"event: ")

    with_a_listener(scenario)
