"""Every behaviour of the simulated provider can be asked for by name."""

import pytest

from payment_service.simulator.scenarios import CALM, LIFELIKE, Chances, Effect, Plan, plan_of


def plan(method: str, number: int = 1, key: str = "key-1", chances: Chances = CALM) -> Plan:
    return plan_of(method, request_number=number, key=key, chances=chances)


def test_sim_ok_takes_the_money_and_answers_at_once() -> None:
    assert plan("sim_ok") == Plan(Effect.CAPTURE)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("sim_declined", "card_declined"),
        ("sim_insufficient_funds", "insufficient_funds"),
        ("visa", "unsupported_payment_method"),
        ("", "unsupported_payment_method"),
        ("sim_slow", "unsupported_payment_method"),
        ("sim_slow:", "unsupported_payment_method"),
        ("sim_slow:soon", "unsupported_payment_method"),
        ("sim_slow:-5", "unsupported_payment_method"),
        ("sim_slow:99999999999", "unsupported_payment_method"),
        ("sim_slow:²", "unsupported_payment_method"),
        ("sim_ok:5", "unsupported_payment_method"),
    ],
)
def test_a_decline_has_its_code_and_a_sentence(method: str, code: str) -> None:
    made = plan(method)

    assert made.effect is Effect.DECLINE
    assert made.decline_code == code
    assert made.decline_reason.endswith(".")


def test_sim_error_then_ok_answers_500_twice() -> None:
    assert [plan("sim_error_then_ok", number).is_error for number in (1, 2, 3, 4)] == [True, True, False, False]
    assert plan("sim_error_then_ok", 1).effect is Effect.NONE
    assert plan("sim_error_then_ok", 3).effect is Effect.CAPTURE


def test_sim_timeout_charged_takes_the_money_and_never_answers() -> None:
    assert plan("sim_timeout_charged") == Plan(Effect.CAPTURE, is_silent=True)


def test_sim_timeout_not_charged_takes_nothing_at_first() -> None:
    assert plan("sim_timeout_not_charged", 1) == Plan(Effect.NONE, is_silent=True)
    assert plan("sim_timeout_not_charged", 2) == Plan(Effect.CAPTURE)


def test_sim_timeout_late_charge_takes_the_money_later() -> None:
    assert plan("sim_timeout_late_charge:700") == Plan(Effect.CAPTURE, effect_after_ms=700, is_silent=True)


def test_sim_slow_answers_late() -> None:
    assert plan("sim_slow:1500") == Plan(Effect.CAPTURE, answer_after_ms=1500)


def test_sim_random_always_succeeds_when_calm() -> None:
    assert {plan("sim_random", key=f"key-{number}") for number in range(200)} == {Plan(Effect.CAPTURE)}


def test_sim_random_is_the_same_for_the_same_payment_and_seed() -> None:
    outcomes = [plan("sim_random", number, "key-7", LIFELIKE) for number in (1, 2, 3)]
    others = {plan("sim_random", 1, "key-7", Chances(50, 50, 200, seed)).effect for seed in range(50)}

    assert len(set(outcomes)) == 1
    assert others == {Effect.CAPTURE, Effect.DECLINE}


def test_sim_random_succeeds_as_often_and_takes_as_long_as_it_is_told_to() -> None:
    plans = [plan("sim_random", key=f"key-{number}", chances=LIFELIKE) for number in range(5_000)]

    assert 0.77 < sum(each.effect is Effect.CAPTURE for each in plans) / len(plans) < 0.83
    assert {each.answer_after_ms for each in plans} == set(range(50, 201))
