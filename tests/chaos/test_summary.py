"""The last line of a long run says what was done, and whether it held."""

from collections import Counter

from tests.chaos.__main__ import summary
from tests.chaos.invariants import Broken
from tests.chaos.run import Outcome


def an_outcome(number: int, *, breaks: bool = False) -> Outcome:
    broken: Broken = {"I1 a balance": [{"sku": "A"}]} if breaks else {}
    return Outcome(number, "s", Counter(COMPLETED=10, FAILED=1), faults=Counter(kill=2, drop=1), broken=broken)


def test_the_last_line_sums_up_seed_runs_orders_and_faults() -> None:
    line = summary([an_outcome(3), an_outcome(4, breaks=True)], "cafe")
    assert line == ("seed cafe, runs 3 to 4: 1 failed; 22 orders (20 COMPLETED, 2 FAILED); 6 faults (kill 4, drop 2)")
