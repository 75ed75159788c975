"""Parts that somebody else provides."""

import pytest

from deploy.local.ports import free_offset
from deploy.local.provided import Provided, provided_by
from deploy.local.refusals import CannotStart


def test_only_what_is_named_is_taken_as_provided() -> None:
    found = provided_by({"REDIS_URL": "redis://there:6379", "DATABASE_URL": ""})

    assert found == {"valkey": Provided("valkey", "redis://there:6379")}


def test_an_address_is_shown_without_its_password() -> None:
    assert str(Provided("postgres", "postgresql://owner:hush@there/db")) == "postgresql://owner:…@there/db"


@pytest.mark.parametrize(
    ("part", "setting", "address"),
    [
        ("postgres", "DATABASE_URL", "postgresql://owner:hush@127.0.0.1:{}/db"),
        ("valkey", "REDIS_URL", "redis://127.0.0.1:{}/0"),
        ("kafka", "KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:{}"),
    ],
)
def test_what_does_not_answer_is_told_in_a_sentence(part: str, setting: str, address: str) -> None:
    nobody_there = address.format(8080 + free_offset())

    with pytest.raises(CannotStart) as refusal:
        Provided(part, nobody_there).require(seconds=0)

    told = str(refusal.value)
    assert told.startswith(f"{setting} names ")
    assert "Start it" in told
    assert "hush" not in told
