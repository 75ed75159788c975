"""A service's own token: fetched once for all, again before it expires, and kept while the issuer is silent."""

import asyncio

import pytest

from chassis.access.issuer import Document, IssuerSilent
from chassis.access.service_token import ServiceToken
from chassis.errors import Unavailable


class World:
    """An issuer that counts, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.asked = 0
        self.seconds = 100.0
        self.is_away = False
        self.answer: Document | None = None
        self.token = ServiceToken(self._ask, lambda: self.seconds)

    async def _ask(self) -> Document:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise IssuerSilent("connection refused")
        return self.answer or {"access_token": f"t{self.asked}", "expires_in": 100}

    async def rest(self) -> None:
        """Lets what runs beside the work come to its end."""
        for _ in range(5):
            await asyncio.sleep(0)


def test_all_who_come_at_one_time_share_one() -> None:
    async def play() -> None:
        world = World()
        assert set(await asyncio.gather(*(world.token.header() for _ in range(20)))) == {"Bearer t1"}
        assert world.asked == 1

    asyncio.run(play())


def test_the_next_one_is_fetched_before_the_last_has_expired_and_nobody_waits_for_it() -> None:
    async def play() -> None:
        world = World()
        await world.token.header()
        world.seconds += 79
        assert (await world.token.header(), world.asked) == ("Bearer t1", 1)
        world.seconds += 2
        assert await world.token.header() == "Bearer t1"
        await world.rest()
        assert await world.token.header() == "Bearer t2"

    asyncio.run(play())


def test_while_the_issuer_is_away_the_last_one_is_used_to_its_end() -> None:
    async def play() -> None:
        world = World()
        await world.token.header()
        world.is_away = True
        world.seconds += 90
        for _ in range(10):
            assert await world.token.header() == "Bearer t1"
            await world.rest()
        assert world.asked == 2
        world.seconds += 11
        with pytest.raises(Unavailable):
            await world.token.header()
        world.is_away = False
        world.seconds += 3
        assert await world.token.header() == "Bearer t4"

    asyncio.run(play())


@pytest.mark.parametrize("answer", [{}, {"access_token": "x", "expires_in": "soon"}, {"expires_in": 10}])
def test_an_answer_without_sense_is_no_token(answer: Document) -> None:
    async def play() -> None:
        world = World()
        world.answer = answer or {"error": "invalid_client"}
        with pytest.raises(Unavailable):
            await world.token.header()

    asyncio.run(play())


def test_who_can_do_without_waits_for_the_very_first_one_alone() -> None:
    async def play() -> None:
        world = World()
        assert await world.token.at_hand() == "Bearer t1"
        world.is_away = True
        world.seconds += 101
        assert await world.token.at_hand() == "", "it has expired, and nobody waits for the next"
        await world.rest()
        world.is_away = False
        world.seconds += 3
        assert await world.token.at_hand() == ""
        await world.rest()
        assert await world.token.at_hand() == "Bearer t3"

    asyncio.run(play())
