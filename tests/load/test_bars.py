"""Each bar is seen to be missed: a good run meets every one, and one thing wrong misses the one for it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.load import bars
from tests.load.answers import Answer, Answers
from tests.load.bars import Bar, Found
from tests.load.watch import Sample, Weight


def answered(*answers: tuple[int, float, str], name: str = "place") -> Answers:
    return Answers([Answer(number, name, status, ms, of) for number, (status, ms, of) in enumerate(answers)])


def found(answers: Answers, held: int, **more: Any) -> Found:
    whole = Found(answers, [], {("COMPLETED", ""): held, ("FAILED", "insufficient_stock"): 7}, {}, 0, [])
    return replace(whole, **more)


def missed(those: Sequence[Bar]) -> list[str]:
    return [bar.what for bar in those if not bar.is_met]


ONE_BUYER = [(201, 20.0, "1"), *[(409, 20.0, "1")] * 49]
ONE_ORDER = [(201, 20.0, "1"), *[(200, 20.0, "1")] * 49]
SOLD_OUT = {"LAST-1": (0, 0)}


def test_one_of_fifty_buyers_has_the_last_piece() -> None:
    assert not missed(bars.last_piece(found(answered(*ONE_BUYER), 1, shelf=SOLD_OUT)))


@pytest.mark.parametrize("instead", [201, 202, 503, 0])
def test_a_buyer_who_is_told_anything_else_is_noticed(instead: int) -> None:
    answers = answered(*ONE_BUYER[:-1], (instead, 20.0, "1"))

    assert missed(bars.last_piece(found(answers, 1, shelf=SOLD_OUT))) == ["rounds with 1 × 201, 49 × 409"]


@pytest.mark.parametrize("shelf", [{"LAST-1": (-1, 0)}, {"LAST-1": (1, 1)}, {}])
def test_a_shelf_that_is_not_empty_afterwards_is_noticed(shelf: dict[str, tuple[int, int]]) -> None:
    assert missed(bars.last_piece(found(answered(*ONE_BUYER), 1, shelf=shelf))) == ["nothing is left, held or oversold"]


def test_equal_requests_are_told_of_one_order() -> None:
    answers = answered(*ONE_ORDER)
    answers.ids["1"] = {"a"}

    assert not missed(bars.same_key(found(answers, 1)))


@pytest.mark.parametrize("ids", [{"a", "b"}, {"a", ""}, set()])
def test_a_second_order_and_an_answer_without_one_are_noticed(ids: set[str]) -> None:
    answers = answered(*ONE_ORDER)
    answers.ids["1"] = ids

    assert missed(bars.same_key(found(answers, 1))) == ["rounds in which all are told one order id"]


def test_two_equal_requests_that_both_make_an_order_are_noticed() -> None:
    answers = answered((201, 20.0, "1"), *ONE_ORDER[:-1])
    answers.ids["1"] = {"a"}

    assert missed(bars.same_key(found(answers, 1))) == ["rounds with 1 × 201, 49 × 200"]


def test_a_quick_ramp_meets_every_bar() -> None:
    assert not missed(bars.ramp(found(answered(*[(201, 20.0, "")] * 200), 200)))


def test_a_slow_tail_is_noticed_where_it_begins() -> None:
    tail = answered(*[(201, 20.0, "")] * 97, *[(201, 200.0, "")] * 3)
    slow = answered(*[(201, 20.0, "")] * 90, *[(201, 1100.0, "")] * 10)

    assert missed(bars.ramp(found(tail, 100))) == ["p99 of placing, ms"]
    assert missed(bars.ramp(found(slow, 100))) == ["p95 of placing, ms", "p99 of placing, ms"] * 2


def test_one_error_is_one_too_many() -> None:
    answers = answered(*[(201, 20.0, "")] * 199, (503, 20.0, ""))

    assert missed(bars.ramp(found(answers, 199))) == ["other answers"]


def test_a_look_that_fails_is_an_error_too() -> None:
    answers = answered(*[(201, 20.0, "")] * 199)
    answers.answers += answered((500, 20.0, ""), name="look").answers

    assert missed(bars.ramp(found(answers, 199))) == ["other answers"]


def test_nobody_answered_meets_nothing() -> None:
    assert {"p95 of placing, ms", "other answers"} <= set(missed(bars.ramp(found(Answers(), 0))))


def test_a_day_may_refuse_what_is_sold_out_and_nothing_else() -> None:
    sale, usual = (409, 20.0, "sale"), (409, 20.0, "usual")

    assert not missed(bars.day(found(answered((201, 20.0, "usual"), sale), 1)))
    assert missed(bars.day(found(answered((201, 20.0, "usual"), usual), 1))) == [
        "orders refused without anything on sale"
    ]


def test_orders_that_k6_could_not_place_in_time_are_noticed() -> None:
    answers = replace(answered((201, 20.0, "usual")), dropped=3)

    assert missed(bars.day(found(answers, 1))) == ["orders that came too soon for k6"]


def samples(resident: Sequence[float], descriptors: int = 30, threads: int = 10) -> list[Sample]:
    """One a minute, of one process."""
    return [
        Sample(60.0 * number, {"gateway": Weight(mb, descriptors, threads)}, {}, 0.0)
        for number, mb in enumerate(resident)
    ]


def test_what_grows_before_it_has_settled_is_no_leak() -> None:
    assert not missed(bars.flatness(samples([50, 60, 70, 80, 90, *[100.0] * 11])))


def test_a_process_that_grows_afterwards_is_noticed() -> None:
    growing = samples([*[100.0] * 6, *(100.0 + 1.5 * minute for minute in range(10))])

    assert missed(bars.flatness(growing)) == ["resident MB of gateway"]


def test_a_process_that_leaks_descriptors_or_threads_is_noticed() -> None:
    leaking = [*samples([100.0] * 8), *[replace(it, at=it.at + 480) for it in samples([100.0] * 8, 34, 13)]]

    assert missed(bars.flatness(leaking)) == ["descriptors of gateway", "threads of gateway"]


def test_a_server_that_grows_up_to_a_bound_is_noticed_beyond_it() -> None:
    def postgres(most: int) -> list[Sample]:
        level = samples([100.0] * 16)
        return [
            replace(
                it, weights={"postgres": replace(it.weights["gateway"], descriptors=most * (place + 1) // len(level))}
            )
            for place, it in enumerate(level)
        ]

    assert not missed(bars.flatness(postgres(2900)))
    assert missed(bars.flatness(postgres(3100))) == ["descriptors of postgres"]


def test_what_is_left_of_a_minute_at_the_end_says_nothing() -> None:
    level = [replace(it, at=it.at / 4) for it in samples([100.0] * 40)]
    leaving = [replace(it, at=600.0 + it.at / 4) for it in samples([100.0] * 2, 0)]

    assert not missed(bars.flatness([*level, *leaving[:1]]))
    assert missed(bars.flatness([*level, *leaving, *(replace(it, at=it.at + 30) for it in leaving)]))


def test_a_short_soak_settles_for_a_third_of_it() -> None:
    assert bars.settling(samples([100.0] * 4)) == 60
    assert bars.settling(samples([100.0] * 31)) == 300


def test_nobody_looked_is_no_flatness() -> None:
    assert missed(bars.flatness([]))


def test_books_in_which_all_is_well_meet_every_bar() -> None:
    assert not missed(bars.books(found(answered(*ONE_BUYER), 1)))


@pytest.mark.parametrize(
    ("wrong", "noticed"),
    [
        ({"unfinished": 1}, "orders that have not ended"),
        ({"ends": {("COMPLETED", ""): 2}}, "orders in the books / promised to users"),
        ({"ends": {}}, "orders in the books / promised to users"),
        ({"broken": ["I1 …"]}, "invariants broken"),
        ({"thresholds_met": False}, "thresholds of the script"),
    ],
)
def test_books_that_say_otherwise_are_noticed(wrong: dict[str, object], noticed: str) -> None:
    assert missed(bars.books(found(answered(*ONE_BUYER), 1, **wrong))) == [noticed]
