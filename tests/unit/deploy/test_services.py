"""What services are told about their surroundings."""

from pathlib import Path

import pytest

from deploy.local.passwords import passwords_of
from deploy.local.place import Place
from deploy.local.refusals import CannotStart
from deploy.local.services import (
    BACKENDS,
    SERVICES,
    SIMULATORS,
    Service,
    environment_of,
    processes,
    url_for,
    wants_simulators,
)

OWNER = "postgresql://owner:topsecret@db.example:5433/orders_db?sslmode=require"


def test_a_service_gets_a_role_of_its_own_on_the_owners_database() -> None:
    assert url_for(OWNER, "orders", "s") == "postgresql://orders:s@db.example:5433/orders_db?sslmode=require"


def test_no_service_is_given_the_owners_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", OWNER)
    environment = environment_of(Place(tmp_path), OWNER, "broker:9092", "redis://there", passwords_of(tmp_path))

    command = BACKENDS[0].command(Place(tmp_path), environment)

    assert not [name for name, value in command.environment.items() if "topsecret" in value]
    assert command.environment["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9092"


def test_a_schemas_url_that_somebody_set_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://elsewhere/orders")

    environment = environment_of(Place(tmp_path), OWNER, "broker:9092", "redis://there", passwords_of(tmp_path))

    assert environment["ORDERS_DATABASE_URL"] == "postgresql://elsewhere/orders"
    assert environment["PAYMENTS_DATABASE_URL"].startswith("postgresql://payments:")


def test_simulators_are_processes_only_where_that_is_asked_for() -> None:
    assert not wants_simulators({})
    assert not wants_simulators({"SIMULATORS": "inprocess"})
    assert wants_simulators({"SIMULATORS": "http"})
    assert processes(with_simulators=False) == SERVICES
    assert set(processes(with_simulators=True)) == {*SERVICES, *SIMULATORS}
    with pytest.raises(CannotStart, match="SIMULATORS is 'grpc': it must be inprocess or http"):
        wants_simulators({"SIMULATORS": "grpc"})


def test_simulators_bring_their_webhooks_to_a_gateway_with_tls(tmp_path: Path) -> None:
    place, sealed = Place(tmp_path, 100), {"TLS_CERT_FILE": "own.crt", "TLS_CA_FILE": "ca.pem"}

    def told(service: Service, environment: dict[str, str]) -> tuple[str | None, str | None]:
        command = service.command(place, {"WEBHOOK_URL": "", "SSL_CERT_FILE": "usual.pem", **environment})
        return command.environment.get("WEBHOOK_URL"), command.environment.get("SSL_CERT_FILE")

    assert told(SIMULATORS[0], sealed) == ("https://127.0.0.1:8180", "ca.pem")
    assert told(SIMULATORS[0], {}) == told(BACKENDS[0], sealed) == ("", "usual.pem")
    elsewhere = {**sealed, "WEBHOOK_URL": "https://elsewhere"}
    assert told(SIMULATORS[0], elsewhere) == ("https://elsewhere", "usual.pem")
