"""The distance that rounds keep."""

import pytest

from chassis.clock import Pace


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.moment = 100.0

    def now(self) -> float:
        return self.moment

    def wait(self, seconds: float) -> None:
        self.moment += seconds

    def pace(self, seconds: float, rest: float = 0.0) -> Pace:
        return Pace(seconds, self.wait, rest, self.now)


def _begun(time: Time, pace: Pace, work: float) -> float:
    pace.begin()
    begun = time.moment
    with pace.at_work():
        time.wait(work)
    return begun


def test_rounds_begin_at_least_so_far_apart() -> None:
    time = Time()
    pace = time.pace(0.5)

    begun = [_begun(time, pace, work=0.01) for _ in range(4)]

    assert begun == pytest.approx([100.0, 100.5, 101.0, 101.5])


def test_what_comes_after_a_pause_does_not_wait() -> None:
    time = Time()
    pace = time.pace(0.5)
    _begun(time, pace, work=0.01)
    time.wait(3)

    assert _begun(time, pace, work=0.01) == pytest.approx(103.01)


def test_a_round_that_takes_long_is_followed_by_a_rest_in_proportion() -> None:
    time = Time()
    pace = time.pace(0.01, rest=6)
    for _ in range(50):
        _begun(time, pace, work=0.02)

    first, second = _begun(time, pace, work=0.02), _begun(time, pace, work=0.02)

    assert second - first == pytest.approx(0.12, rel=0.01)


def test_a_round_that_is_known_to_be_full_waits_for_nothing() -> None:
    time = Time()
    pace = time.pace(0.5, rest=6)
    ended = _begun(time, pace, work=0.02) + 0.02

    pace.begin(at_once=True)

    assert time.moment == pytest.approx(ended)


def test_one_round_that_met_a_fault_does_not_stop_those_after_it() -> None:
    time = Time()
    pace = time.pace(0.01, rest=6)
    ended = _begun(time, pace, work=60) + 60

    assert _begun(time, pace, work=0.01) - ended < 0.2


def _distance(time: Time, pace: Pace, work: float) -> float:
    """Between two rounds, once it knows how long they take."""
    for _ in range(50):
        _begun(time, pace, work)
    first, second = _begun(time, pace, work), _begun(time, pace, work)
    return second - first


def test_one_of_two_who_share_the_work_leaves_room_for_the_other() -> None:
    time = Time()
    pace = time.pace(0.01, rest=1)
    pace.sharers = 2.0

    assert _distance(time, pace, work=0.02) == pytest.approx(0.06, rel=0.01)


def test_quick_rounds_are_no_further_apart_for_being_shared_out() -> None:
    time = Time()
    pace = time.pace(0.02, rest=1)
    pace.sharers = 2.0

    assert _distance(time, pace, work=0.004) == pytest.approx(0.02, rel=0.01)


def test_one_of_very_many_waits_a_tenth_of_a_second_for_the_others_and_no_longer() -> None:
    time = Time()
    pace = time.pace(0.01, rest=1)
    pace.sharers = 12.0

    assert _distance(time, pace, work=0.02) == pytest.approx(0.12, rel=0.01)
