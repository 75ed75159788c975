"""The harness itself at work, in short: seeded load and faults on the real system, and every invariant afterwards."""

from collections.abc import Iterator

import pytest

from tests.chaos.__main__ import linked_stack
from tests.chaos.links import LinkedStack
from tests.chaos.run import Runs

# kafka-python forgets to close a connection that breaks while it is being opened.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SEED = "make-test"
SECONDS = 8


@pytest.fixture(scope="module")
def stack() -> Iterator[LinkedStack]:
    """The whole system with a proxy on every link."""
    with linked_stack(print) as running:
        yield running


@pytest.fixture
def runs(stack: LinkedStack) -> Iterator[Runs]:
    opened = Runs(stack, print)
    yield opened
    opened.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [1, 2])
def test_nothing_is_lost_oversold_or_charged_twice_whatever_goes_wrong(runs: Runs, number: int) -> None:
    outcome = runs.run(SEED, number, SECONDS)

    assert not outcome.broken, "\n".join(outcome.stories)
    assert outcome.orders["COMPLETED"] > 10
    assert outcome.faults
