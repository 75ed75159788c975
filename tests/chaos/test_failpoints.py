"""kill -9 at every failpoint, on every path that leads over it: all comes to its end, and nothing is broken."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine, text

from deploy.local import Stack, temporary_state
from tests.chaos import invariants
from tests.chaos.failpoints import SERVICES, failpoints_of
from tests.chaos.killing import Killing, armed_with_all
from tests.chaos.paths import Path, paths_of
from tests.chaos.scene import Scene
from tests.chaos.story import stories
from tests.end_to_end.shop import Shop
from tests.waiting import until

UNTOLD = " UNION ALL ".join(f"SELECT topic, key FROM {context}.outbox" for context in SERVICES.values())


@dataclass(frozen=True)
class Case:
    """A service that dies at a failpoint of one path; no path where nobody knows one."""

    service: str
    point: str
    path: Path | None

    def __str__(self) -> str:
        return f"{self.point}-{self.path.__name__ if self.path else 'nobody'}"


CASES = [
    Case(service, point, path)
    for service in SERVICES
    for point in failpoints_of(service)
    for path in paths_of(point) or (None,)
]


class Damage:
    """What is broken; held against the case that broke it, and not against those that come after."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: set[str] = set()

    def done(self) -> invariants.Broken:
        """What is broken now, and was not told of yet."""
        with self._engine.connect() as connection:
            broken = invariants.broken(connection)
        fresh = {name: [row for row in rows if str(row) not in self._told] for name, rows in broken.items()}
        return {name: rows for name, rows in fresh.items() if rows}

    def told(self) -> str:
        """The same, with all that is known of the orders among it."""
        broken = self.done()
        self._told |= {str(row) for rows in broken.values() for row in rows}
        with self._engine.connect() as connection:
            return "\n".join([str(broken), *stories(connection, broken)])


@pytest.fixture(scope="module")
def killing() -> Iterator[Killing]:
    """The whole system, of which any part dies where it is told to."""
    with temporary_state() as state:
        marks = state / "failpoints"
        with Stack(state, environment=armed_with_all(marks)) as stack:
            opened = Killing(stack, marks)
            yield opened
            opened.close()


@pytest.fixture(scope="module")
def scene(killing: Killing) -> Scene:
    return Scene(killing.stack, Shop(killing.stack), killing.engine)


@pytest.fixture(scope="module")
def damage(killing: Killing) -> Damage:
    return Damage(killing.engine)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_service_that_dies_there_loses_nothing_and_does_nothing_twice(
    killing: Killing, scene: Scene, damage: Damage, case: Case
) -> None:
    assert case.path, f"no path passes {case.point}: name one in tests/chaos/paths.py"
    journey = case.path(replace(scene, point=case.point))
    next(journey)
    killing.arm(case.point)

    with ThreadPoolExecutor(1) as client:
        ending = client.submit(_go_on, journey)
        has_died = killing.has_died(case.service, case.point, lambda: ending.done())
        if has_died:
            killing.raise_again(case.service)
        killing.disarm(case.point)
        ending.result()

    assert has_died, f"{case.path.__name__} does not pass {case.point}"
    assert until(lambda: _nothing_is_untold(scene), seconds=30, every=0.05)
    assert until(lambda: not damage.done(), seconds=30, every=0.1), damage.told()


def _go_on(journey: Iterator[None]) -> None:
    """The rest of it."""
    with suppress(StopIteration):
        next(journey)


def _nothing_is_untold(scene: Scene) -> bool:
    with scene.engine.connect() as connection:
        return not connection.execute(text(UNTOLD)).all()
