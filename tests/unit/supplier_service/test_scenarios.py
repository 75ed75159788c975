"""Every behaviour of the simulated suppliers can be asked for by name."""

import pytest

from supplier_service.simulator.scenarios import CALM, LIFELIKE, Chances, Plan, Reply, check_plan, reserve_plan


def asked(scenario: str, number: int = 1, key: str = "key-1", chances: Chances = CALM) -> Plan:
    return reserve_plan(scenario, request_number=number, key=key, chances=chances)


def checked(
    scenario: str, number: int = 1, *, seconds: float = 0, key: str = "key-1", chances: Chances = CALM
) -> Reply:
    return check_plan(scenario, check_number=number, seconds=seconds, key=key, chances=chances).reply


@pytest.mark.parametrize("scenario", ["ok", "", "random"])
def test_a_calm_supplier_takes_it_on_and_has_delivered_at_the_first_check(scenario: str) -> None:
    assert asked(scenario) == Plan(Reply.ACCEPTED)
    assert checked(scenario) is Reply.DELIVERED


@pytest.mark.parametrize(
    "scenario", ["reject", "nobody", "delayed_then_ok", "delayed_then_ok:", "ok:1", "webhook_ok:x"]
)
def test_a_supplier_rejects_what_it_does_not_do(scenario: str) -> None:
    assert asked(scenario) == Plan(Reply.REJECTED)


def test_delayed_then_ok_is_late_so_many_times() -> None:
    assert [checked("delayed_then_ok:2", number) for number in (1, 2, 3)] == [
        Reply.DELAYED,
        Reply.DELAYED,
        Reply.DELIVERED,
    ]


def test_delayed_forever_is_always_late() -> None:
    assert {checked("delayed_forever", number) for number in range(1, 50)} == {Reply.DELAYED}


def test_fail_takes_it_on_and_does_not_deliver() -> None:
    assert asked("fail") == Plan(Reply.ACCEPTED)
    assert checked("fail") is Reply.FAILED


def test_error_then_ok_answers_500_so_many_times() -> None:
    replies = [asked("error_then_ok:2", number).reply for number in (1, 2, 3)]

    assert replies == [Reply.ERROR, Reply.ERROR, Reply.ACCEPTED]


def test_webhook_ok_is_underway_until_its_time_has_come() -> None:
    assert [checked("webhook_ok:30", seconds=seconds) for seconds in (0, 29.9, 30)] == [
        Reply.UNDERWAY,
        Reply.UNDERWAY,
        Reply.DELIVERED,
    ]


@pytest.mark.parametrize("scenario", ["random", ""])
def test_lifelike_suppliers_are_slow_or_broken_as_often_as_they_are_said_to_be(scenario: str) -> None:
    keys = [f"key-{number}" for number in range(5_000)]
    plans = [asked(scenario, key=key, chances=LIFELIKE) for key in keys]
    checks = [checked(scenario, key=key, chances=LIFELIKE) for key in keys]

    assert 0.17 < sum(plan.reply is Reply.ERROR for plan in plans) / len(plans) < 0.23
    assert 0.17 < sum(plan.after_ms > 0 for plan in plans) / len(plans) < 0.23
    assert all(plan.after_ms == 0 or 2_000 <= plan.after_ms <= 3_000 for plan in plans)
    assert 0.07 < sum(reply is Reply.ERROR for reply in checks) / len(checks) < 0.13
    assert 0.07 < sum(reply is Reply.FAILED for reply in checks) / len(checks) < 0.12


def test_a_lifelike_delivery_that_fails_once_fails_for_good() -> None:
    for key in (f"key-{number}" for number in range(200)):
        replies = {checked("random", number, key=key, chances=LIFELIKE) for number in range(1, 30)}
        assert len(replies - {Reply.ERROR}) == 1


def test_only_who_sends_webhooks_plans_one() -> None:
    assert asked("webhook_ok:7") == Plan(Reply.ACCEPTED, webhook_after=7)
    assert asked("delayed_then_ok:7").webhook_after is None
