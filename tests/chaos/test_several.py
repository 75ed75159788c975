"""Several of everything, in short: scaled and rolled under load, and two relays that must not both lead."""

from collections.abc import Iterator

import psycopg
import pytest

from deploy.local import Infrastructure, Stack, temporary_state
from tests.chaos.several.trial import SETTINGS, Trial, pause

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.timeout(600),
]

NOBODY_LEADS = """
CREATE FUNCTION {schema}.forget() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.until := now() - interval ''1 hour''; RETURN NEW; END';
CREATE TRIGGER forgetful BEFORE INSERT OR UPDATE ON {schema}.leases FOR EACH ROW EXECUTE FUNCTION {schema}.forget();
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with temporary_state() as state, Stack(state, None, SETTINGS) as running:
        yield running


@pytest.fixture
def trial(stack: Stack) -> Iterator[Trial]:
    opened = Trial(stack)
    yield opened
    opened.close()


def test_scaling_up_and_down_under_load_loses_nothing(stack: Stack, trial: Trial) -> None:
    def act() -> None:
        stack.scale({"order_service": 2, "gateway": 2, "payment_service:worker": 2})
        pause(2)
        stack.scale({"order_service": 1, "gateway": 1, "payment_service:worker": 0})

    found = trial.run("make-test scaling", act)

    assert not found.broken, "\n".join(found.stories)
    assert not found.failed
    assert found.orders["COMPLETED"] > 10


def test_a_rolling_restart_of_everything_fails_no_request_of_a_client_that_retries_once(
    stack: Stack, trial: Trial
) -> None:
    before = stack.pids

    found = trial.run("make-test rolling", stack.roll)

    assert not found.broken, "\n".join(found.stories)
    assert not found.failed
    assert found.orders["COMPLETED"] > 10
    after = stack.pids
    assert all(after[service.name] != before[service.name] for service in stack.services)


def test_two_relays_that_both_believe_they_lead_are_seen(stack: Stack, trial: Trial) -> None:
    """Without its lease, each of the two sends what the other sends; what reads it takes it once all the same."""
    stack.scale({"order_service": 2})
    with owner(stack.infrastructure) as connection:
        connection.execute(NOBODY_LEADS.format(schema="orders").encode())

    found = trial.run("make-test relays", lambda: pause(3))

    assert found.repeats
    assert not found.broken, "\n".join(found.stories)


def owner(infrastructure: Infrastructure) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(infrastructure.database_url, autocommit=True)
