"""What the supplier service is told of where its suppliers are."""

from typing import Any

import pytest
from pydantic import ValidationError

from chassis.settings import refusals
from supplier_service.settings import SupplierSettings
from supplier_service.simulator.scenarios import CALM, LIFELIKE

_URL = "postgresql://suppliers:secret@127.0.0.1/orders_db"


def settings(**told: Any) -> SupplierSettings:
    usual = {"simulators": "http", "supplier_url": "", "port_offset": 0, "simulation": "calm"}
    urls = {"suppliers_database_url": _URL, "suppliers_simulator_database_url": _URL}
    return SupplierSettings.model_validate(usual | urls | told)


def test_suppliers_over_http_are_those_of_this_stack_or_those_that_are_named() -> None:
    assert settings(port_offset=100).supplier_address == "http://127.0.0.1:8182"
    assert settings(supplier_url="https://hub.example/orders/").supplier_address == "https://hub.example/orders"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"supplier_url": "https://us:secret@hub.example"},
         "SUPPLIER_URL: must be an http:// or https:// URL, without password and query"),
        ({"simulators": "both"}, "SIMULATORS: must be 'inprocess' or 'http'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(told: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**told)
    assert refusals(refused.value) == [sentence]


def test_what_is_left_to_chance_is_calm_unless_it_is_to_be_lifelike() -> None:
    assert settings().chances == CALM
    assert settings(simulation="lifelike").chances == LIFELIKE
