"""Boards in Redis: two sorted sets each, in editions, of which a marker says which one is read.

All keys share a hash tag, so that they lie together in a cluster. An edition is filled under keys of its own, which
run out by themselves should nobody publish it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from chassis.redis import AsyncRedis, RedisAway, RedisRaced, SyncRedis
from order_service.reports.adapters.pause import Pause
from order_service.reports.domain import BOARDS, Board, Figures, Place
from order_service.reports.ports import BoardsAway, NotThisEdition

_PREFIX: Final = "orders:{reports}"
MARKER: Final = f"{_PREFIX}:edition"
_UNPUBLISHED_SECONDS: Final = 86_400

_TOP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local places = {}
for _, member in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, tonumber(ARGV[2]) - 1)) do
    places[#places + 1] = {member, redis.call('ZSCORE', KEYS[3], member), redis.call('ZSCORE', KEYS[4], member)}
end
return places
"""
_PLACE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local place = redis.call('ZREVRANK', KEYS[2], ARGV[2])
if not place then return {} end
return {{place, redis.call('ZSCORE', KEYS[3], ARGV[2]), redis.call('ZSCORE', KEYS[4], ARGV[2])}}
"""


def key_of(edition: int, board: Board, measure: str) -> str:
    """The sorted set of a board by one of its measures."""
    return f"{_PREFIX}:{edition}:{board.name}:{measure}"


def _keys_of(edition: int) -> list[str]:
    return [key_of(edition, board, measure) for board in BOARDS for measure in board.measures]


def _turn_of(edition: int) -> str:
    return f"{_PREFIX}:{edition}:turn"


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except RedisRaced as error:
        raise NotThisEdition("somebody else was writing") from error
    except RedisAway as error:
        raise BoardsAway(str(error)) from error


class RedisBoardWriter:
    """The boards as the job writes them."""

    def __init__(self, client: SyncRedis) -> None:
        self._client = client

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with _answering(), self._client.pipeline(transaction=True) as pipe:
            yield pipe

    def edition(self) -> int:
        """The edition that is published; 0 where there is none."""
        with _answering():
            return _number(self._client.get(MARKER))

    def load(self, edition: int, board: Board, figures: Sequence[Figures]) -> None:
        """Add a page to an edition that nobody reads yet."""
        with self._transaction() as pipe:
            _add(pipe, edition, {board: figures})
            for key in _keys_of(edition):
                pipe.expire(key, _UNPUBLISHED_SECONDS)
            pipe.execute()

    def publish(self, edition: int, sizes: Mapping[Board, int]) -> None:
        """From now on this edition is read, and the one before is gone; its size shows a flush while it was loaded."""
        with self._transaction() as pipe:
            pipe.watch(MARKER, *_keys_of(edition))
            before = _number(pipe.get(MARKER))
            for board, members in sizes.items():
                if any(_number(pipe.zcard(key_of(edition, board, each))) != members for each in board.measures):
                    raise NotThisEdition(f"edition {edition} is not whole")
            pipe.multi()
            for key in _keys_of(edition):
                pipe.persist(key)
            pipe.set(MARKER, edition)
            if before not in (0, edition):
                pipe.unlink(*_keys_of(before), _turn_of(before))
            pipe.execute()

    def change(
        self, edition: int, turn: int, changed: Mapping[Board, Sequence[Figures]], gone: Mapping[Board, Sequence[str]]
    ) -> None:
        """Write these totals, and take those members away that are gone, as it was at this turn.

        Who froze between reading them and writing them finds a later turn, and must not write over what came after.
        """
        with self._transaction() as pipe:
            pipe.watch(MARKER, _turn_of(edition))
            if _number(pipe.get(MARKER)) != edition or _number(pipe.get(_turn_of(edition))) > turn:
                raise NotThisEdition(f"edition {edition} at turn {turn} is not what is published")
            pipe.multi()
            pipe.set(_turn_of(edition), turn)
            _add(pipe, edition, changed)
            for board, members in gone.items():
                for measure in board.measures if members else ():
                    pipe.zrem(key_of(edition, board, measure), *members)
            pipe.execute()


def _add(pipe: Any, edition: int, figures: Mapping[Board, Sequence[Figures]]) -> None:
    for board, members in figures.items():
        if members:
            first, second = (key_of(edition, board, measure) for measure in board.measures)
            pipe.zadd(first, {each.member: each.first for each in members})
            pipe.zadd(second, {each.member: each.second for each in members})


def _number(value: Any) -> int:
    return int(value or 0)


class RedisBoardReader:
    """The boards as they are read: marker and figures in one script, so that they belong together."""

    def __init__(self, client: AsyncRedis) -> None:
        self._top = client.register_script(_TOP)
        self._place = client.register_script(_PLACE)
        self._pause = Pause()

    async def top(self, edition: int, board: Board, measure: str, limit: int) -> list[Place] | None:
        """The first places by one of the board's measures."""
        found = await self._ask(self._top, _read_keys(edition, board, measure), [edition, limit])
        if found is None:
            return None
        return [Place(rank, _figures(*row)) for rank, row in enumerate(found, start=1)]

    async def place_of(self, edition: int, board: Board, measure: str, member: str) -> list[Place] | None:
        """The place of a member, alone in a list; an empty one where they have none."""
        found = await self._ask(self._place, _read_keys(edition, board, measure), [edition, member])
        if found is None:
            return None
        return [Place(place + 1, Figures(member, _score(first), _score(second))) for place, first, second in found]

    async def _ask(self, script: Any, keys: list[str], arguments: list[Any]) -> Any:
        if self._pause.is_on:
            return None
        try:
            return await script(keys=keys, args=arguments)
        except RedisAway as error:
            self._pause.begin(error)
            return None


def _read_keys(edition: int, board: Board, measure: str) -> list[str]:
    return [MARKER, key_of(edition, board, measure), *(key_of(edition, board, each) for each in board.measures)]


def _figures(member: bytes, first: bytes, second: bytes) -> Figures:
    return Figures(member.decode(), _score(first), _score(second))


def _score(score: bytes) -> int:
    return int(float(score))
