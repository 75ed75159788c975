"""What the simulated suppliers understand over HTTP, and what they refuse."""

from typing import Any, Final

import orjson
import pytest

from supplier_service.simulator.http import asked_in
from supplier_service.simulator.journal import Asked, key_of, reference_of

_KEY: Final = "0190b6b2-0000-7000-8000-000000000001"
_GOODS: Final = {"sku": "85123A", "quantity": 3, "reference": _KEY}


def asked(document: Any, headers: dict[str, str] | None = None) -> Asked:
    return asked_in("acme", headers or {}, orjson.dumps(document))


def test_goods_are_asked_for_under_a_reference_that_is_the_key() -> None:
    assert asked(_GOODS, {"idempotency-key": _KEY}) == Asked(_KEY, "acme", "85123A", 3, "")
    assert asked(_GOODS | {"scenario": "fail", "of a later release": 1}).scenario == "fail"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"reference": ""}, "reference"),
        ({"reference": "key-1"}, "reference"),
        ({"reference": None}, "reference"),
        ({"sku": ""}, "sku"),
        ({"sku": "a\x00"}, "sku"),
        ({"sku": ["85123A"]}, "sku"),
        ({"scenario": 7}, "scenario"),
        ({"scenario": "x" * 256}, "scenario"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -3}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": 2**63}, "quantity"),
        ({"quantity": "3"}, "quantity"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        asked(_GOODS | change)


@pytest.mark.parametrize("document", [[], 7, None, "goods"])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        asked(document)


def test_a_key_that_is_not_the_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="Idempotency-Key"):
        asked(_GOODS, {"idempotency-key": "0190b6b2-0000-7000-8000-000000000002"})


@pytest.mark.parametrize("name", [_KEY, _KEY.upper(), reference_of(_KEY)])
def test_an_order_is_known_by_our_name_and_by_theirs(name: str) -> None:
    assert key_of(name) == _KEY


@pytest.mark.parametrize("name", ["", "sim-", "..", "sim-sim-" + _KEY, _KEY + "\n"])
def test_other_names_are_nobodys(name: str) -> None:
    assert key_of(name) is None
