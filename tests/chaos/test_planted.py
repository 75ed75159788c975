"""A checker that no bug can wake is not a checker: each planted bug is found within a few runs."""

import pytest

from tests.chaos.__main__ import linked_stack
from tests.chaos.planted import BUGS
from tests.chaos.run import Runs

MOST_RUNS = 3
SECONDS = 8
QUIET_SECONDS = 20

WAKES = {
    "no_inbox": ("I6",),
    "charge_without_key": ("I4",),
    "cursor": ("I5", "I6"),
}
"""By planted bug, the invariants of which one must notice it."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    found: set[str] = set()
    with linked_stack(print, bug) as stack:
        runs = Runs(stack, print, quiet_seconds=QUIET_SECONDS)
        for number in range(1, MOST_RUNS + 1):
            broken = runs.run("planted", number, SECONDS).broken
            print(f"{bug}, run {number}: {', '.join(broken) or 'nothing found'}")
            found |= {name.partition(" ")[0] for name in broken}
            if found & set(WAKES[bug]):
                break
        runs.close()
    assert found & set(WAKES[bug]), found
