"""Methods that every context hosts: asked of all, or of the one that is named."""

import asyncio
from collections.abc import Sequence

import httpx

from chassis.errors import ValidationFailed
from protos.operations.v1 import operations_pb2
from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import Behaviour, refuse

LIST = "/operations.v1.OperationsService/ListDeadLetters"
REPLAY = "/operations.v1.OperationsService/ReplayDeadLetters"


def always(page: operations_pb2.ListDeadLettersResponse) -> Behaviour:
    return lambda request, context: page


def hosts(stage: Stage, letters: dict[str, Sequence[int]]) -> None:
    """Each context has letters that were parked at these seconds."""
    for context, seconds in letters.items():
        found = [operations_pb2.DeadLetter(id=str(at), service=context, parked_at={"seconds": at}) for at in seconds]
        page = operations_pb2.ListDeadLettersResponse(dead_letters=found)
        stage.services[context].on(LIST, always(page))


def test_the_letters_of_all_contexts_are_one_list_newest_first(client: httpx.Client, stage: Stage) -> None:
    hosts(stage, {"orders": [9, 3], "inventory": [7], "suppliers": [], "payments": [8, 1]})

    answer = client.get("/operations/dead-letters").json()

    assert [letter["id"] for letter in answer["data"]] == ["9", "8", "7", "3", "1"]
    assert answer["meta"]["unreachable"] == []


def test_a_silent_context_is_named(client: httpx.Client, stage: Stage) -> None:
    hosts(stage, {"orders": [9], "inventory": [7], "suppliers": [5]})
    stage.services["payments"].on(LIST, lambda request, context: asyncio.Event().wait())

    answer = client.get("/operations/dead-letters").json()

    assert len(answer["data"]) == 3
    assert answer["meta"]["unreachable"] == ["payments"]


def test_the_context_that_is_named_is_asked_alone(client: httpx.Client, stage: Stage) -> None:
    hosts(stage, {"orders": [9], "payments": [8]})

    answer = client.get("/operations/dead-letters?service=payments").json()

    assert [letter["service"] for letter in answer["data"]] == ["payments"]
    assert stage.orders.asked == []


def test_an_unknown_context_is_refused(client: httpx.Client) -> None:
    answer = client.get("/operations/dead-letters?service=kitchen")

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["service"])


def test_what_changes_something_must_name_its_context(client: httpx.Client, stage: Stage) -> None:
    answer = client.post("/operations/dead-letters/replay", json={"filter": {"type": "OrderPlaced"}})

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["service"])


def test_a_replay_goes_to_its_context(client: httpx.Client, stage: Stage) -> None:
    done = operations_pb2.ReplayDeadLettersResponse(matched=2, replayed=1, still_parked=1)
    stage.services["inventory"].on(REPLAY, lambda request, context: done)

    body = {"service": "inventory", "filter": {"ids": ["a", "b"]}, "dry_run": True}
    answer = client.post("/operations/dead-letters/replay", json=body)

    assert answer.json()["data"] == {"matched": 2, "replayed": 1, "still_parked": 1, "dead_letters": []}
    asked = stage.services["inventory"].asked[-1]
    assert (list(asked.filter.ids), asked.dry_run) == (["a", "b"], True)


def test_a_refusal_of_one_is_the_answer(client: httpx.Client, stage: Stage) -> None:
    hosts(stage, {"orders": [], "inventory": [], "payments": []})
    refusal = ValidationFailed("No.", fields={"order_id": ["is no id"]})
    stage.services["suppliers"].on(LIST, lambda request, context: refuse(context, refusal))

    answer = client.get("/operations/dead-letters?order_id=x")

    assert (answer.status_code, answer.json()["errors"]) == (422, {"order_id": ["is no id"]})
