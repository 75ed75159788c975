"""The arithmetic of rate limits."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.limits.local import LocalDebts
from chassis.limits.rates import MINUTE, Rate, Verdict, verdicts

SIXTY = Rate("customer", 60)


class Time:
    """A clock that a test turns, in microseconds."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_a_burst_of_a_minutes_worth_is_let_through_and_no_more() -> None:
    debts = LocalDebts(now=Time())

    admitted = [debts.take("anna", SIXTY.interval, 1)[0] for _ in range(90)]

    assert sum(admitted) == 60
    assert admitted[:60] == [1] * 60


def test_what_was_used_comes_back_evenly_not_at_the_turn_of_a_minute() -> None:
    time = Time()
    debts = LocalDebts(now=time)
    debts.take("anna", SIXTY.interval, 60)

    time.now = 999_999
    assert debts.take("anna", SIXTY.interval, 1)[0] == 0
    time.now = 1_000_000
    assert debts.take("anna", SIXTY.interval, 1)[0] == 1
    assert debts.take("anna", SIXTY.interval, 1)[0] == 0


def test_a_refused_request_costs_nothing() -> None:
    time = Time()
    debts = LocalDebts(now=time)
    debts.take("anna", SIXTY.interval, 60)
    for _ in range(1_000):
        debts.take("anna", SIXTY.interval, 1)

    time.now = 2_000_000

    assert debts.take("anna", SIXTY.interval, 5)[0] == 2


@given(
    per_minute=st.integers(1, 5_000),
    steps=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 50)), max_size=60),
)
def test_no_minute_ever_sees_more_than_the_burst_and_what_came_back(
    per_minute: int, steps: Sequence[tuple[int, int]]
) -> None:
    time, rate = Time(), Rate("customer", per_minute)
    debts, passed = LocalDebts(now=time), 0
    for wait, asks in steps:
        time.now += wait
        admitted, debt = debts.take("anna", rate.interval, asks)
        passed += admitted
        assert admitted <= asks
        assert 0 <= debt <= MINUTE
        assert passed <= (MINUTE + time.now) // rate.interval


def test_asking_together_is_asking_one_after_the_other() -> None:
    together, apart = LocalDebts(now=Time()), LocalDebts(now=Time())

    admitted, debt = together.take("anna", SIXTY.interval, 70)
    one_by_one = [apart.take("anna", SIXTY.interval, 1) for _ in range(70)]

    seen = verdicts(SIXTY, 70, admitted, debt)
    assert [(verdict.is_admitted, verdict.debt) for verdict in seen] == [(bool(a), debt) for a, debt in one_by_one]


@pytest.mark.parametrize(
    ("debt", "told", "seconds"),
    [
        (1_000_000, '"customer";r=59;t=1', 0),
        (MINUTE, '"customer";r=0;t=60', 1),
        (59_500_000, '"customer";r=0;t=60', 0.5),
    ],
)
def test_a_caller_is_told_what_is_left_and_when_to_come_again(debt: int, told: str, seconds: float) -> None:
    verdict = Verdict(SIXTY, True, debt)

    assert (verdict.told, verdict.retry_seconds) == (told, seconds)
    assert SIXTY.policy == '"customer";q=60;w=60'


def test_debts_that_were_not_used_for_longest_give_way() -> None:
    debts = LocalDebts(most=3, now=Time())
    for name in "abcad":
        debts.take(name, SIXTY.interval, 30)

    assert len(debts) == 3
    assert debts.take("a", SIXTY.interval, 60)[0] == 0, "used again, and so remembered"
    assert debts.take("b", SIXTY.interval, 60)[0] == 60, "forgotten"


def test_what_redis_last_told_counts_here() -> None:
    debts = LocalDebts(now=Time())
    debts.note("anna", 50_000_000)

    assert debts.take("anna", SIXTY.interval, 60)[0] == 10
