"""A checker that no bug can wake is not a checker: each planted bug is found within a few runs."""

from collections.abc import Iterator

import pytest

from tests.chaos.__main__ import linked_stack
from tests.chaos.afresh import begin_afresh
from tests.chaos.links import LinkedStack
from tests.chaos.planted import BUGS
from tests.chaos.run import Runs
from tests.chaos.traps import TRAPS, Trap, together

# kafka-python forgets to close a connection that breaks while it is being opened.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

MOST_RUNS = 3
SECONDS = 6
QUIET_SECONDS = 8


@pytest.fixture(scope="module")
def stack() -> Iterator[LinkedStack]:
    """One for all bugs: only the services are started anew, and all that was written is forgotten."""
    with linked_stack(print, "inprocess") as running:
        yield running


def found(runs: Runs, trap: Trap, number: int) -> set[str]:
    """The numbers of the invariants that a run breaks."""
    broken = runs.run("planted", number, SECONDS, trap.schedule, trap.habits).broken
    print(f"{trap.bug}, run {number}: {', '.join(broken) or 'nothing found'}")
    return {name.partition(" ")[0] for name in broken}


@pytest.mark.timeout(300)
def test_the_traps_break_nothing_where_there_is_no_bug(stack: LinkedStack) -> None:
    begin_afresh(stack, "", together(TRAPS))
    runs = Runs(stack, print)
    runs.begin_here()
    outcome = runs.run("planted", 1, SECONDS, [fault for trap in TRAPS for fault in trap.schedule])
    runs.close()
    assert not outcome.broken, "\n".join(outcome.stories)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.bug)
def test_a_planted_bug_is_found(stack: LinkedStack, trap: Trap) -> None:
    begin_afresh(stack, trap.bug, trap.settings)
    runs = Runs(stack, print, quiet_seconds=QUIET_SECONDS)
    runs.begin_here()
    woken: set[str] = set()
    for number in range(1, MOST_RUNS + 1):
        if woken := found(runs, trap, number) & set(trap.wakes):
            break
    runs.close()
    assert woken


def test_every_bug_has_its_trap() -> None:
    assert [trap.bug for trap in TRAPS] == list(BUGS)
