"""How many of each service there are: what INSTANCES may say, and what processes come of it."""

import pytest

from deploy.local.instances import Instance, counts_in, instances, roles_of
from deploy.local.refusals import CannotStart
from deploy.local.services import GATEWAY, SERVICES


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("order_service", "INSTANCES: 'order_service' is not NAME=NUMBER"),
        ("orders=2", "INSTANCES names 'orders': there is no such service; there are inventory_service"),
        ("order_service=0", "INSTANCES says order_service=0: it must be a whole number from 1 to 20"),
        ("order_service=two", "INSTANCES says order_service=two: it must be"),
        ("gateway=21", "INSTANCES says gateway=21: it must be a whole number from 1 to 20"),
        ("gateway:worker=2", "INSTANCES names 'gateway:worker': the gateway has no roles"),
        ("order_service:api=2", "the api stays with order_service; order_service=2 makes two of it"),
        ("order_service:cook=1", "what can run apart is worker, relay, jobs"),
        ("gateway=1,gateway=2", "INSTANCES says twice how many of gateway"),
    ],
)
def test_nonsense_is_named(text: str, sentence: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        counts_in(text)

    assert sentence in str(refusal.value)


def test_nothing_said_is_one_of_each() -> None:
    assert counts_in("") == {}
    assert [instance.name for instance in instances(SERVICES, {})] == [service.name for service in SERVICES]


def test_further_ones_have_names_of_their_own() -> None:
    counts = counts_in(" gateway = 2, order_service:worker=2 ,order_service=1")

    names = [instance.name for instance in instances(SERVICES, counts)]

    assert names[3:] == ["order_service", "order_service:worker", "order_service:worker.2", "gateway", "gateway.2"]


def test_a_role_that_runs_apart_leaves_the_others_to_the_service_itself() -> None:
    order_service = SERVICES[3]
    counts = {"order_service:worker": 2, "order_service:jobs": 1, "order_service:relay": 0}

    assert roles_of(Instance(order_service), counts) == "api,relay"
    assert roles_of(Instance(order_service, "worker", 2), counts) == "worker"
    assert roles_of(Instance(order_service), {}) == ""
    assert roles_of(Instance(GATEWAY), counts) == ""


def test_only_those_with_an_api_are_called() -> None:
    order_service = SERVICES[3]

    assert Instance(order_service, number=2).is_called
    assert not Instance(order_service, "worker").is_called
    assert not Instance(GATEWAY).is_called
