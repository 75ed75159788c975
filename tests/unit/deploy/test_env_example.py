"""The example of a settings file names settings that exist, with the defaults that they have."""

from collections.abc import Mapping
from typing import Any

import pytest

from chassis.settings import ServiceSettings
from deploy.local.environment_file import settings_in
from deploy.local.place import PROJECT
from gateway.settings import GatewaySettings
from inventory_service.settings import InventorySettings
from order_service.settings import OrderSettings
from payment_service.settings import PaymentSettings
from supplier_service.settings import SupplierSettings

SETTINGS: tuple[type[ServiceSettings], ...] = (
    OrderSettings,
    InventorySettings,
    PaymentSettings,
    SupplierSettings,
    GatewaySettings,
)
OF_THE_STACK = {
    "STATE_DIR",
    "PORT_OFFSET",
    "DATABASE_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "REDIS_URL",
    "ORDERS",
    "INSTANCES",
}


def example(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    text = (PROJECT / ".env.example").read_text()
    file = tmp_path_factory.mktemp("example") / ".env"
    file.write_text("\n".join(line.removeprefix("#") for line in text.splitlines() if not line.startswith("# ")))
    return settings_in(file)


def defaults() -> Mapping[str, Any]:
    return {name.upper(): field.default for kind in SETTINGS for name, field in kind.model_fields.items()}


def test_every_setting_of_the_example_exists_with_that_default(tmp_path_factory: pytest.TempPathFactory) -> None:
    named, known = example(tmp_path_factory), defaults()

    assert named.keys() - OF_THE_STACK <= known.keys()
    assert {name: value for name, value in named.items() if name not in OF_THE_STACK} == {
        name: as_text(known[name]) for name in named if name not in OF_THE_STACK
    }


def as_text(value: Any) -> str:
    """As one would write it in the file: 10 and not 10.0, lists with commas."""
    if isinstance(value, (list, tuple)):
        return ",".join(as_text(part) for part in value)
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
