"""Settings: read from the environment, refused by name, never shown with their secrets."""

import re

import pytest
from pydantic import Field

from chassis.settings import DatabaseUrl, ServiceSettings, load_settings, settings_table, unit

_NONSENSE = {
    "PORT_OFFSET": "70000",
    "ROLES": "api,cook",
    "LISTEN_HOST": "0.0.0.0",
    "LOG_LEVEL": "loud",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "REDIS_URL": "http://127.0.0.1",
    "ORDERS_DATABASE_URL": "mysql://orders:hush@127.0.0.1/orders_db",
    "ORDERS_ADDRESS": "127.0.0.1:0",
    "PAYMENTS_ADDRESS": "127.0.0.1:1,payments:2",
    "PORTS_SHARED": "perhaps",
    "DRAIN_SECONDS": "-1",
    "GRPC_CONNECTION_SECONDS": "long",
    "GRPC_CONNECTION_GRACE_SECONDS": "-1",
    "MAX_RPCS_IN_FLIGHT": "many",
    "FAILPOINT": "orders.place=explode",
    "PATIENCE_SECONDS": "nan",
    "TIRED_SECONDS": "inf",
}


class ShopSettings(ServiceSettings):
    orders_database_url: DatabaseUrl = Field(repr=False, description="the database")
    tired_seconds: float = Field(default=1, description="unbounded")
    patience_seconds: float = Field(
        default=2.5, ge=0, le=60, json_schema_extra=unit("s"), description="how long to wait"
    )


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_NONSENSE, "DATABASE_URL", "GRPC_PORT", "METRICS_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://orders:hush@127.0.0.1:5432/orders_db")


def test_defaults_follow_the_port_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT_OFFSET", "100")

    settings = load_settings(ShopSettings)

    assert settings.kafka.addresses == "127.0.0.1:59192"
    assert settings.redis == "redis://127.0.0.1:56479/0"
    assert settings.address_of("payments") == "127.0.0.1:50154"
    assert settings.grpc_address("orders") == "127.0.0.1:50151"
    assert settings.metrics_port_of("orders") == 9201


def test_what_is_told_is_used_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "one:9092,two:9092")
    monkeypatch.setenv("PAYMENTS_ADDRESS", "payments:50054")
    monkeypatch.setenv("ROLES", " worker, relay ")
    monkeypatch.setenv("LOG_LEVEL", "warning")

    settings = load_settings(ShopSettings)

    assert settings.kafka.addresses == "one:9092,two:9092"
    assert settings.address_of("payments") == "payments:50054"
    assert settings.roles == {"worker", "relay"}
    assert settings.log_level == "WARNING"
    assert settings.database_url_of("orders").endswith("/orders_db")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("PORT_OFFSET", "")

    assert load_settings(ShopSettings).redis == "redis://127.0.0.1:56379/0"


@pytest.mark.parametrize(("name", "value"), _NONSENSE.items())
def test_nonsense_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        load_settings(ShopSettings)

    assert ended.value.code == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert re.match(rf"{name}: \S", told[0])
    assert "hush" not in told[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERS_DATABASE_URL", "postgresql://orders:hush@h:port/orders_db"),
        ("ORDERS_DATABASE_URL", "postgresql://orders:hush@h:99999/orders_db"),
        ("ORDERS_DATABASE_URL", "postgresql://orders:a/hush@h:5432/orders_db"),
        ("REDIS_URL", "redis://h:port/0"),
        ("REDIS_URL", "redis://:a/hush@h:6379/0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "http://h:9092"),
        ("PAYMENTS_ADDRESS", "http://h:50054"),
    ],
)
def test_an_address_that_no_client_understands_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test_nonsense_is_refused_by_name(name, value, monkeypatch, capsys)


def test_every_nonsense_has_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in _NONSENSE.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        load_settings(ShopSettings)

    assert {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()} == set(_NONSENSE)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ORDERS_DATABASE_URL")

    with pytest.raises(SystemExit):
        load_settings(ShopSettings)

    assert capsys.readouterr().err == "ORDERS_DATABASE_URL: is not set\n"


def test_secrets_are_in_no_picture_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hush@127.0.0.1:6379/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:hush@127.0.0.1/orders_db")

    assert "hush" not in repr(load_settings(ShopSettings))


def test_the_table_names_every_setting_with_default_unit_bounds_and_meaning() -> None:
    lines = settings_table(ShopSettings).splitlines()

    assert [line.split()[0] for line in lines[1:]] == [name.upper() for name in ShopSettings.model_fields]
    assert re.search(r"^PATIENCE_SECONDS +2\.5 +s +how long to wait \(≥ 0, ≤ 60\)$", lines[-1])
    assert any(re.search(r"^ROLES +api,worker,relay,jobs ", line) for line in lines)


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []


def test_a_limit_makes_no_sense_for_callers_whom_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RATE_LIMIT_PER_MINUTE", "60")

    with pytest.raises(SystemExit):
        load_settings(ShopSettings)
    assert capsys.readouterr().err.startswith("RATE_LIMIT_PER_MINUTE: needs AUTH=on")

    monkeypatch.setenv("AUTH", "on")
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example")
    monkeypatch.setenv("OWN_SUBJECTS", "gate, orders")
    settings = load_settings(ShopSettings)
    assert (settings.rate_limit_per_minute, settings.service_rate_limit_per_minute) == (60, 0)
    assert settings.own_subjects == {"gate", "orders"}
