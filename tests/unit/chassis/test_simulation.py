"""A simulated party: it misbehaves as it is switched, while it runs, and its webhooks are as unreliable."""

from collections import Counter
from collections.abc import Iterator, Sequence

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refusal, Unavailable
from chassis.simulation.behaviour import Behaviour, Dice, Fate
from chassis.simulation.switch import Endpoint, Switch, said
from chassis.simulation.webhooks import WebhookSender
from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret
from tests.simulators import Served
from tests.waiting import until

SECRET = "a-secret-of-the-two"


class Counting:
    """Counts what takes effect, and takes its own webhooks in."""

    def __init__(self, switch: Switch, refusals: list[int], heard: "list[tuple[int, bool]]") -> None:
        self.effects = 0
        self._switch = switch
        self._refusals = refusals
        self._heard = heard
        self._sender: WebhookSender | None = None

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        return [("POST", "/effects", self._count), ("GET", "/effects", self._show), ("POST", "/tell", self._tell)]

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        if self._sender is not None:
            await self._sender.close()

    def ping(self) -> None:
        pass

    async def _count(self, request: Request) -> Response:
        if "webhook" in request.query_params:
            return await self._hear(request)
        self.effects += 1
        return await self._show(request)

    async def _show(self, request: Request) -> Response:
        if request.query_params.get("away"):
            raise Unavailable("the books are away")
        return said({"effects": self.effects})

    async def _tell(self, request: Request) -> Response:
        self._sender = self._sender or WebhookSender(str(request.base_url), SECRET, self._switch)
        for number in range(int(request.query_params["times"])):
            self._sender.tell("/effects?webhook=1", orjson.dumps({"number": number}), lie=b'{"number": -1}')
        return said({})

    async def _hear(self, request: Request) -> Response:
        body = await request.body()
        try:
            WebhookSecret(SECRET).verify(request.headers[TIMESTAMP_HEADER], request.headers[SIGNATURE_HEADER], body)
        except Refusal:
            self._heard.append((orjson.loads(body)["number"], False))
            return said({}, 401)
        if self._refusals:
            return said({}, self._refusals.pop())
        self._heard.append((orjson.loads(body)["number"], True))
        return said({}, 202)


@pytest.fixture
def refusals() -> list[int]:
    return []


@pytest.fixture
def heard() -> list[tuple[int, bool]]:
    return []


@pytest.fixture
def party(refusals: list[int], heard: list[tuple[int, bool]]) -> Iterator[Served]:
    with Served(lambda switch: Counting(switch, refusals, heard)) as served:
        yield served


def test_a_calm_party_does_and_says_what_it_should(party: Served) -> None:
    assert httpx.post(f"{party.url}/effects").json() == {"effects": 1}
    assert httpx.get(f"{party.url}/health/ready").json() == {"status": "ok"}
    assert httpx.get(f"{party.url}/effects?away=1").status_code == 503


def test_errors_garbage_and_silence_come_as_switched_before_or_after_the_effect(party: Served) -> None:
    effects = f"{party.url}/effects"
    party.behave(errors=100)
    assert [httpx.post(effects).status_code for _ in range(4)] == [500] * 4
    party.behave(garbage=100)
    with pytest.raises(ValueError, match=r"Expecting|Invalid"):
        httpx.post(effects).json()
    for kind in ("timeouts_before", "timeouts_after"):
        party.behave(**{kind: 100})
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(effects, timeout=0.2)
    party.behave()

    assert httpx.get(effects).json() == {"effects": 4}, "two errors, the garbage and one silence took effect"


def test_a_switch_changes_what_it_names_and_refuses_nonsense_by_name(party: Served) -> None:
    control = f"{party.url}/simulation"

    assert httpx.put(control, json={"errors": 30}).json()["errors"] == 30
    assert httpx.put(control, json={"latency_ms": 5}).json()["errors"] == 30
    for nonsense in ({"errors": 101}, {"mood": 1}, {"errors": 60, "garbage": 60}, {"latency_ms": "soon"}):
        refused = httpx.put(control, json=nonsense)
        assert refused.status_code == 422
        assert refused.json()["errors"]
    assert httpx.put(control, content=b"[1]").status_code == 400
    assert httpx.get(control).json() == Behaviour(errors=30, latency_ms=5).model_dump()
    assert httpx.delete(control).json() == Behaviour().model_dump()


def test_a_party_that_is_told_to_stop_leaves_its_silences_behind(party: Served) -> None:
    party.behave(timeouts_after=100)
    with httpx.Client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{party.url}/effects", timeout=0.1)

    party.stop()
    party.start()

    assert httpx.get(f"{party.url}/simulation").json() == Behaviour().model_dump()


def test_the_same_seed_draws_the_same_fates_in_the_wished_shares() -> None:
    behaviour = Behaviour(errors=30, timeouts_before=10, timeouts_after=10, garbage=10, seed=7)
    dice, again = Dice(behaviour), Dice(behaviour)

    drawn = [dice.fate() for _ in range(2_000)]

    assert drawn == [again.fate() for _ in range(2_000)]
    shares = Counter(drawn)
    assert abs(shares[Fate.ERROR_BEFORE] - shares[Fate.ERROR_AFTER]) <= 1
    assert 500 < shares[Fate.ERROR_BEFORE] + shares[Fate.ERROR_AFTER] < 700
    assert all(140 < shares[fate] < 260 for fate in (Fate.SILENCE_BEFORE, Fate.SILENCE_AFTER, Fate.GARBAGE))


def _told(party: Served, times: int) -> None:
    httpx.post(f"{party.url}/tell", params={"times": times}).raise_for_status()


def test_webhooks_are_signed_and_sent_again_until_they_are_taken(
    party: Served, refusals: list[int], heard: list[tuple[int, bool]]
) -> None:
    refusals += [503, 404]

    _told(party, 1)

    assert until(lambda: heard == [(0, True)])


def test_webhooks_come_twice_forged_and_out_of_order_as_switched(party: Served, heard: list[tuple[int, bool]]) -> None:
    party.behave(webhooks_duplicated=100, webhooks_forged=100)
    _told(party, 2)
    assert until(lambda: len(heard) == 6)
    assert Counter(heard) == {(-1, False): 2, (0, True): 2, (1, True): 2}
    heard.clear()
    party.behave(webhooks_reordered=50, seed=3)

    _told(party, 20)

    assert until(lambda: len(heard) == 20)
    numbers = [number for number, _ in heard]
    assert sorted(numbers) == list(range(20))
    assert numbers != sorted(numbers)


def test_a_webhook_that_is_refused_for_good_is_sent_once(party: Served, refusals: list[int]) -> None:
    refusals += [202, 422]

    _told(party, 1)
    assert until(lambda: refusals == [202])
    _told(party, 1)

    assert until(lambda: refusals == [])
