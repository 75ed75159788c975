"""What suppliers write, and what is read of it."""

import orjson
import pytest

from chassis.errors import ValidationFailed
from supplier_service.domain import Accepted, Delayed, Delivered, Failed, News, Rejected
from supplier_service.simulator.webhooks import delivered
from supplier_service.wire import news_of


@pytest.mark.parametrize(
    ("message", "news"),
    [
        ({"status": "ok"}, Delivered()),
        ({"status": "delayed"}, Delayed()),
        ({"status": "fail", "reason": " Burnt down. "}, Failed("Burnt down.")),
        ({"status": "rejected", "reason": None}, Rejected("")),
        ({"status": "accepted"}, Accepted("r-1")),
        ({"status": "accepted", "ref": "s-9"}, Accepted("s-9")),
        ({"status": "accepted", "supplier_reference": "s-9", "of a later release": [1]}, Accepted("s-9")),
    ],
)
def test_a_message_says_what_became_of_which_supplier_order(message: dict[str, object], news: News) -> None:
    assert news_of(orjson.dumps({"reference": "r-1"} | message)) == ("r-1", news)


@pytest.mark.parametrize(("key", "name"), [("key-2", "key-2"), ("key-1", "sim-key-1")])
def test_the_simulated_suppliers_write_what_is_understood_by_our_name_or_theirs(key: str, name: str) -> None:
    assert news_of(delivered(key)) == (name, Delivered())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "message"),
        (b"\xff", "message"),
        (b"[]", "message"),
        (b"[" * 100_000, "message"),
        (b'{"status": "ok"}', "reference"),
        (b'{"reference": "", "status": "ok"}', "reference"),
        (b'{"reference": 7, "status": "ok"}', "reference"),
        (b'{"reference": "a\\u0000b", "status": "ok"}', "reference"),
        (b'{"reference": "r-1"}', "status"),
        (b'{"reference": "r-1", "status": "lost"}', "status"),
        (b'{"reference": "r-1", "status": {}}', "status"),
        (b'{"reference": "r-1", "status": "fail", "reason": "' + b"x" * 300 + b'"}', "reason"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(body: bytes, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        news_of(body)
    assert list(refused.value.fields) == [field]
