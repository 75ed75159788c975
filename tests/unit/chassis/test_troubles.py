"""What the clients' errors say, in the few words that health and metrics have for it."""

import pytest

from chassis.troubles import Trouble, trouble_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError('connection failed: FATAL:  password authentication failed for user "orders"'), "password"),
        (OSError("WRONGPASS invalid username-password pair or user is disabled."), "password"),
        (OSError("NOAUTH Authentication required."), "password"),
        (OSError('connection failed: FATAL:  database "orders_db" does not exist'), "refused"),
        (TimeoutError(), "silent"),
        (ConnectionRefusedError("Connection refused"), "unreachable"),
        (Trouble("schema_older", "the schema is older"), "schema_older"),
    ],
)
def test_an_error_has_one_word(error: Exception, reason: str) -> None:
    assert trouble_of(error).reason == reason


def test_a_refused_connection_is_told_in_the_servers_words_and_no_more_than_a_line() -> None:
    error = OSError('at "10.0.0.1": FATAL:  database "orders_db" does not exist\nIs it there? ' + "x" * 500)

    assert str(trouble_of(error)) == 'the connection is refused: database "orders_db" does not exist'
