"""The Compose file fits its specification, the code, and the files it names; each check is seen to find a mistake."""

import pytest

from tests.unit.deploy.compose_file import EXAMPLE, FILE, complaints, example_values, interpolated, unset_variables


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text()


def test_it_would_work(text: str) -> None:
    assert complaints(text, example_values()) == []


def test_it_starts_with_nothing_but_what_the_example_asks_for(text: str) -> None:
    assert list(unset_variables(text, example_values())) == []
    assert "$" not in interpolated(text, example_values()).replace('"$VALKEY_PASSWORD"', "")


def test_the_example_has_no_secret() -> None:
    told = [line for line in EXAMPLE.read_text().splitlines() if "PASSWORD" in line or "SECRET" in line]
    assert told
    assert all(line.endswith("=") or line.startswith("#") for line in told)


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("    shm_size:", "    shared_memory:", "Unevaluated properties are not allowed"),
        ("command: [order_service]", "command: [orders_service]", "orders: there is no command orders_service"),
        ("LISTEN_HOST:", "LISTEN_ADDRESS:", "there is no setting LISTEN_ADDRESS"),
        ('AUTH: "on"', 'AUTH: "off"', "LISTEN_HOST: must be a loopback address while AUTH is off"),
        ("ORDERS_ADDRESS: orders:50051", "ORDERS_ADDRESS: orders:50052", "nothing listens at orders:50052"),
        ("@postgres:5432", "@database:5432", "nothing listens at database:5432"),
        (":8080\"]", ":8081\"]", "gateway: publishes 8081, where it does not listen"),
        ("probe, gateway]", "probe, order_service]", "gateway: its health is not that of gateway"),
        ("<<: [*settings, *orders]", "<<: [*settings, *orders, *owner]", "orders: is given the owner's URL"),
        ("[order_service, --migrate]", "[order_service, --upgrade]", "order_service takes no --upgrade"),
        ("  read_only: true\n  tmpfs", "  read_only: false\n  tmpfs", "orders: read_only is not True"),
        ("./monitoring/rules:", "./monitoring/alerts:", "prometheus: mounts ./monitoring/alerts, which is not there"),
        ("migrate-orders: {", "migrates-orders: {", "orders: waits for migrates-orders, which is not there"),
        ("prometheus:/prometheus\n", "metrics:/prometheus\n", "there is no volume metrics"),
        ("image: postgres:18", "image: postgres", "postgres: its image postgres has no version"),
        ("${GRAFANA_PASSWORD:?of Grafana's user admin}", "${GRAFANA_PASSWORD:-admin}", "GRAFANA_PASSWORD is a secret"),
        ("${VALKEY_PASSWORD:?", "${REDIS_PASSWORD:?", "REDIS_PASSWORD is not in env.example"),
        ("  suppliers:\n    <<", "  supplying:\n    <<", "Prometheus does not ask supplying:9103"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(text: str, right: str, wrong: str, told: str) -> None:
    assert right in text

    found = complaints(text.replace(right, wrong), example_values())

    assert any(told in sentence for sentence in found), found


def test_a_required_setting_that_is_not_given_is_named(text: str) -> None:
    url = next(line for line in text.splitlines() if line.startswith("  INVENTORY_DATABASE_URL:"))

    found = complaints(text.replace(url, "  CURRENCY: GBP"), example_values())

    assert "inventory: INVENTORY_DATABASE_URL: is not set" in found


def test_nonsense_in_a_setting_is_named(text: str) -> None:
    found = complaints(text.replace("redis://:", "ftp://:"), example_values())

    assert "gateway: REDIS_URL: must be a redis://, rediss:// or unix:// URL" in found
