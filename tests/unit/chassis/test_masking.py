"""Masking: secrets leave no trace."""

import pytest

from chassis.masking import is_secret_name, without_credentials, without_rows


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://orders:hush@127.0.0.1:5432/orders_db", "postgresql://orders:***@127.0.0.1:5432/orders_db"),
        ("redis://:hush@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("postgresql://a:p@ss:w@rd@host/db", "postgresql://a:***@host/db"),
        ("see http://host/path?x=1 and amqp://a:b@c/d", "see http://host/path?x=1 and amqp://a:***@c/d"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_the_passwords_of_urls_are_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


@pytest.mark.parametrize("name", ["password", "PAYMENT_SECRET", "authorization", "api_key", "token", "page_token"])
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["idempotency_key", "key", "tokens", "sku", "customer_id"])
def test_other_names_are_not_taken_for_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_rows_that_postgres_tells_of_are_hidden() -> None:
    text = 'violates check "c"\nDETAIL:  Failing row contains (anna, 12 Mill Lane).\nCONTEXT:  SQL statement'

    assert without_rows(text) == 'violates check "c"\nDETAIL: ***\nCONTEXT:  SQL statement'
