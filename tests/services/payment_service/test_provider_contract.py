"""What every payment provider behind the port keeps to, in this process or over HTTP."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest

from chassis import ids
from chassis.database import Database, rows_of
from chassis.outside import Limits
from chassis.simulation.switch import Switch
from chassis.simulation.webhooks import WebhookSender
from payment_service.adapters.http import HttpJournal, HttpProvider
from payment_service.adapters.ledger import SimulatedJournal
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.domain import (
    Captured,
    Declined,
    ErrorAnswer,
    NotFound,
    NotSent,
    ProviderTrouble,
    Refunded,
    Refused,
    TheirEntry,
    TimedOut,
    Voided,
)
from payment_service.ports import ChargeRequest, PaymentProvider, ProviderJournal, RefundRequest
from payment_service.simulator.http import Provider
from payment_service.simulator.journal import SCHEMA, Journal
from payment_service.simulator.ledger import Ledger
from payment_service.simulator.scenarios import CALM
from tests.simulators import Served
from tests.waiting import until

TOKEN: Final = "between-us-alone"
PATIENCE: Final = 0.6
LIMITS: Final = Limits(timeout=PATIENCE, failures=3, rest=0.3)
FIRST: Final = "00000000-0000-0000-0000-000000000000"
LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Till:
    """Asks a provider, with patience, from code that does not wait."""

    def __init__(self, provider: PaymentProvider, journal: ProviderJournal, runner: asyncio.Runner) -> None:
        self.provider = provider
        self.journal = journal
        self._runner = runner

    def charge(self, key: str, method: str = "sim_ok", amount: int = 510) -> Any:
        return self.ask(self.provider.charge, ChargeRequest(key, ids.new_id(), amount, "GBP", method))

    def look_up(self, key: str) -> Any:
        return self.ask(self.provider.look_up, key)

    def void(self, key: str) -> Any:
        return self.ask(self.provider.void, key)

    def refund(self, key: str, charge_key: str, amount: int) -> Any:
        return self.ask(self.provider.refund, RefundRequest(key, charge_key, ids.new_id(), amount, "GBP"))

    def look_up_refund(self, key: str) -> Any:
        return self.ask(self.provider.look_up_refund, key)

    def ask(self, question: Callable[[Any], Awaitable[Any]], about: Any) -> Any:
        """The answer, or the trouble, as the service would have it."""

        async def patiently() -> Any:
            try:
                async with asyncio.timeout(2 * PATIENCE):
                    return await question(about)
            except TimeoutError:
                return TimedOut("nothing came")
            except ProviderTrouble as trouble:
                return trouble

        return self._runner.run(patiently())


@pytest.fixture
def books(urls: dict[str, str]) -> Iterator[Database]:
    database = Database(urls[SCHEMA], schema=SCHEMA, application_name="contract-tests", pool_size=2)
    yield database
    database.close()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture
def served(urls: dict[str, str]) -> Iterator[Served]:
    def build(switch: Switch) -> Provider:
        database = Database(urls[SCHEMA], schema=SCHEMA, application_name="served-provider", pool_size=2)
        return Provider(
            database, Journal(database, CALM), switch, WebhookSender("http://127.0.0.1:1", "", switch), TOKEN
        )

    with Served(build) as party:
        yield party


@pytest.fixture
def over_http(served: Served, runner: asyncio.Runner) -> Iterator[Till]:
    provider = HttpProvider(served.url, LIMITS, TOKEN)
    yield Till(provider, HttpJournal(served.url, LIMITS, TOKEN), runner)
    runner.run(provider.close())


@pytest.fixture
def in_process(books: Database, runner: asyncio.Runner) -> Iterator[Till]:
    provider = SimulatedProvider(Journal(books, CALM))
    provider.start()
    yield Till(provider, SimulatedJournal(Ledger(books)), runner)
    provider.stop()


@pytest.fixture(params=["in_process", "over_http"])
def till(request: pytest.FixtureRequest) -> Till:
    made: Till = request.getfixturevalue(request.param)
    return made


def charged(books: Database, key: str) -> list[str]:
    """What the provider's books say was done under a key."""
    sql = "SELECT outcome FROM entries WHERE key = CAST(:key AS uuid) ORDER BY kind"
    return [row.outcome for row in books.read(lambda connection: rows_of(connection, sql, key=key))]


def test_a_key_takes_the_money_once_and_is_told_the_same_again(till: Till, books: Database) -> None:
    key = ids.new_id()

    first, again = till.charge(key), till.charge(key)

    assert first == again == Captured(f"sim-{key}", 510, "GBP")
    assert till.look_up(key) == first
    assert charged(books, key) == ["captured"]


def test_another_amount_under_the_same_key_is_refused_and_takes_nothing(till: Till, books: Database) -> None:
    key = ids.new_id()
    till.charge(key)

    assert isinstance(till.charge(key, amount=511), ErrorAnswer)
    assert till.look_up(key) == Captured(f"sim-{key}", 510, "GBP")
    assert charged(books, key) == ["captured"]


@pytest.mark.parametrize(
    ("method", "code"),
    [("sim_declined", "card_declined"), ("sim_insufficient_funds", "insufficient_funds"), ("cheque", "unsupported")],
)
def test_a_decline_is_final_under_its_key(till: Till, method: str, code: str) -> None:
    key = ids.new_id()

    declined = till.charge(key, method)

    assert isinstance(declined, Declined)
    assert declined.code.startswith(code)
    assert till.charge(key, method) == till.look_up(key) == declined


def test_what_is_not_known_is_not_found(till: Till) -> None:
    assert till.look_up(ids.new_id()) == NotFound()
    assert till.look_up_refund(ids.new_id()) == NotFound()
    assert till.void(ids.new_id()) == NotFound()


def test_a_void_takes_back_all_and_may_be_said_twice(till: Till, books: Database) -> None:
    key = ids.new_id()
    till.charge(key)

    assert till.void(key) == till.void(key) == Voided(f"sim-{key}")
    assert till.look_up(key) == Voided(f"sim-{key}")
    assert charged(books, key) == ["captured", "voided"]
    assert isinstance(till.refund(ids.new_id(), key, 1), Refused)


def test_a_void_that_comes_before_the_charge_takes_nothing_back(till: Till) -> None:
    key = ids.new_id()

    assert till.void(key) == NotFound()
    assert isinstance(till.charge(key), Captured)


def test_a_decline_cannot_be_voided_or_refunded(till: Till) -> None:
    key = ids.new_id()
    till.charge(key, "sim_declined")

    assert till.void(key) == NotFound()
    assert isinstance(till.refund(ids.new_id(), key, 100), Refused)


def test_a_refund_is_given_once_under_its_key_and_never_above_the_charge(till: Till) -> None:
    key, refund = ids.new_id(), ids.new_id()
    till.charge(key)

    given = till.refund(refund, key, 200)

    assert given == till.refund(refund, key, 200) == till.look_up_refund(refund)
    assert given == Refunded(f"sim-{refund}", 200, "GBP")
    assert isinstance(till.refund(refund, key, 201), ErrorAnswer), "another amount under its key"
    assert isinstance(till.refund(ids.new_id(), key, 311), Refused)
    assert isinstance(till.refund(ids.new_id(), key, 310), Refunded)


def test_an_error_twice_then_the_money_is_taken_once(till: Till, books: Database) -> None:
    key = ids.new_id()

    answers = [till.charge(key, "sim_error_then_ok") for _ in range(3)]

    assert [type(answer) for answer in answers] == [ErrorAnswer, ErrorAnswer, Captured]
    assert charged(books, key) == ["captured"]


def test_a_time_out_after_the_effect_is_silence_and_is_found_by_its_key(till: Till, books: Database) -> None:
    key = ids.new_id()

    assert isinstance(till.charge(key, "sim_timeout_charged"), TimedOut)

    assert isinstance(till.look_up(key), Captured)
    assert isinstance(till.charge(key, "sim_timeout_charged"), Captured)
    assert charged(books, key) == ["captured"]


def test_a_time_out_before_the_effect_leaves_nothing_and_may_be_sent_again(till: Till, books: Database) -> None:
    key = ids.new_id()

    assert isinstance(till.charge(key, "sim_timeout_not_charged"), TimedOut)

    assert till.look_up(key) == NotFound()
    assert isinstance(till.charge(key, "sim_timeout_not_charged"), Captured)
    assert charged(books, key) == ["captured"]


def test_money_that_is_taken_late_is_not_found_until_then(till: Till) -> None:
    key = ids.new_id()

    assert isinstance(till.charge(key, "sim_timeout_late_charge:2500"), TimedOut)

    assert till.look_up(key) == NotFound()
    assert until(lambda: isinstance(till.look_up(key), Captured))


def test_the_books_are_listed_page_by_page_and_by_key(till: Till) -> None:
    keys = [ids.new_id() for _ in range(5)]
    for key in keys:
        till.charge(key)
    till.void(keys[1])
    till.refund(ids.new_id(), keys[2], 200)

    first = till.journal.entries(FIRST, LAST, 3)
    rest = till.journal.entries(first[-1].key, LAST, 3)

    assert [entry.key for entry in (*first, *rest)] == keys
    assert first[1:] == [TheirEntry(keys[1], 510, 510, "GBP"), TheirEntry(keys[2], 510, 200, "GBP")]
    assert till.journal.entries_of([keys[4], ids.new_id()]) == [TheirEntry(keys[4], 510, 0, "GBP")]
    assert till.journal.entries_of([]) == []


def test_over_http_every_misbehaviour_is_told_apart(over_http: Till, served: Served, books: Database) -> None:
    key = ids.new_id()
    for behaviour, trouble in [
        ({"errors": 100}, ErrorAnswer),
        ({"timeouts_before": 100}, TimedOut),
        ({"garbage": 100}, ErrorAnswer),
    ]:
        served.behave(**behaviour)
        assert isinstance(over_http.charge(key), trouble)
        served.behave()
        assert not isinstance(over_http.look_up(key), ProviderTrouble)

    assert isinstance(over_http.look_up(key), Captured), "what was answered with garbage had taken effect"
    assert charged(books, key) == ["captured"]


def test_over_http_a_final_failure_is_a_decline_under_its_key(over_http: Till, served: Served) -> None:
    key = ids.new_id()
    served.behave(failures=100)
    declined = over_http.charge(key)
    served.behave()

    assert isinstance(declined, Declined)
    assert over_http.charge(key) == declined


def test_over_http_a_provider_that_is_away_was_not_sent_anything(over_http: Till, served: Served) -> None:
    key = ids.new_id()
    over_http.charge(key)
    served.stop()

    assert isinstance(over_http.charge(ids.new_id()), NotSent), (
        "the connection that was kept is closed, and known to be"
    )

    served.start()
    assert isinstance(over_http.look_up(key), Captured)


def test_over_http_the_breaker_opens_after_failures_in_a_row_and_closes_by_itself(
    over_http: Till, served: Served
) -> None:
    key = ids.new_id()
    served.behave(errors=100)
    assert [type(over_http.charge(key)) for _ in range(4)] == [ErrorAnswer] * 3 + [NotSent]
    served.behave()

    assert until(lambda: isinstance(over_http.charge(key), Captured))


def test_over_http_the_wrong_token_decides_nothing(served: Served, runner: asyncio.Runner) -> None:
    provider = HttpProvider(served.url, LIMITS, "of-somebody-else")
    stranger = Till(provider, HttpJournal(served.url, LIMITS), runner)

    assert isinstance(stranger.look_up(ids.new_id()), ErrorAnswer), "no NotFound: a charge would be repeated for it"
    runner.run(provider.close())


def test_a_connection_that_is_closed_half_way_through_an_answer_decides_nothing(runner: asyncio.Runner) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"key": ')
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await reader.read()
        writer.close()

    server = runner.run(asyncio.start_server(half, "127.0.0.1", 0))
    provider = HttpProvider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", LIMITS)
    asking = Till(provider, HttpJournal("http://127.0.0.1:1", LIMITS), runner)

    assert isinstance(asking.charge(ids.new_id()), TimedOut)

    runner.run(provider.close())
    server.close()


def test_a_not_found_of_somebody_else_at_that_address_does_not_count(runner: asyncio.Runner) -> None:
    """A proxy's 404, or another key's: believed, it would let the charge be sent again."""
    bodies = [b"<h1>not found</h1>", b'{"error": "no such page"}', b'{"key": "%s", "status": "not_found"}']

    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = bodies.pop().replace(b"%s", ids.new_id().encode())
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = runner.run(asyncio.start_server(nobody, "127.0.0.1", 0))
    provider = HttpProvider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", LIMITS)
    asking = Till(provider, HttpJournal("http://127.0.0.1:1", LIMITS), runner)

    assert [type(asking.look_up(ids.new_id())) for _ in range(3)] == [ErrorAnswer] * 3

    runner.run(provider.close())
    server.close()
