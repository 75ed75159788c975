"""Ports that speak TLS: what they show, what they demand, and who gets through."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from chassis import tls
from chassis.access.settings import AccessSettings
from chassis.health import Health
from chassis.metrics import start_metrics_server
from chassis.server import Server
from chassis.settings import load_settings
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc
from tests.certificates import Authority, Pair
from tests.unit.chassis.serving import AN_ID, Servicer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def shown(authority: Authority) -> Pair:
    return authority.pair("service")


def settings(shown: Pair, demanded: Path | None = None) -> AccessSettings:
    return AccessSettings(
        tls_cert_file=shown.certificate, tls_key_file=shown.key, tls_client_ca_file=demanded
    )  # fmt: skip


async def _an_order(_request: Any, _context: Any) -> pb.Order:
    return pb.Order(id=AN_ID)


def asked(told: AccessSettings, credentials: grpc.ChannelCredentials | None) -> str:
    """The id of the order that a caller with these credentials hears of, or the status."""

    async def ask() -> str:
        health = Health("tls", {}, ())
        server = Server("tls", "127.0.0.1:0", health, 100, credentials=tls.server_credentials(told))
        server.add(orders_pb2_grpc.add_OrderServiceServicer_to_server, Servicer(_an_order))  # type: ignore[abstract]
        await server.start()
        await health.started()
        try:
            async with tls.aio_channel(f"127.0.0.1:{server.port}", credentials, ()) as channel:
                stub: Any = orders_pb2_grpc.OrderServiceStub(channel)
                return str((await stub.GetOrder(pb.GetOrderRequest(order_id=AN_ID), timeout=5)).id)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        finally:
            await server.stop(0)

    return asyncio.run(ask())


def test_who_believes_the_authority_is_served(authority: Authority, shown: Pair) -> None:
    assert asked(settings(shown), tls.channel_credentials(authority.file)) == AN_ID


def test_who_does_not_or_speaks_in_the_clear_is_not(tmp_path: Path, shown: Pair) -> None:
    other = Authority(tmp_path, "other")

    assert asked(settings(shown), tls.channel_credentials(other.file)) == "UNAVAILABLE"
    assert asked(settings(shown), None) == "UNAVAILABLE"


def test_a_port_that_demands_a_certificate_serves_only_those_who_show_one(
    authority: Authority, shown: Pair, tmp_path: Path
) -> None:
    told, mine, forged = settings(shown, authority.file), authority.pair("caller"), Authority(tmp_path, "o").pair("f")

    assert asked(told, tls.channel_credentials(authority.file, mine.key, mine.certificate)) == AN_ID
    assert asked(told, tls.channel_credentials(authority.file)) == "UNAVAILABLE"
    assert asked(told, tls.channel_credentials(authority.file, forged.key, forged.certificate)) == "UNAVAILABLE"


def test_metrics_speak_tls_too(authority: Authority, shown: Pair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start_metrics_server(port, "127.0.0.1", settings(shown, authority.file))
    mine = authority.pair("caller")
    context = ssl.create_default_context(cafile=authority.file)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"https://127.0.0.1:{port}/metrics", verify=context, trust_env=False).raise_for_status()
    context.load_cert_chain(mine.certificate, mine.key)

    assert httpx.get(f"https://127.0.0.1:{port}/metrics", verify=context, trust_env=False).status_code == 200


def test_programs_find_their_certificates_in_the_environment(authority: Authority, shown: Pair) -> None:
    told = {"TLS_CA_FILE": str(authority.file), "TLS_CERT_FILE": "", "TLS_KEY_FILE": ""}

    assert asked(settings(shown), tls.credentials_in(told)) == AN_ID
    assert tls.credentials_in({}) is None


@pytest.fixture
def nonsense(authority: Authority, shown: Pair, tmp_path: Path) -> dict[str, dict[str, str]]:
    other, empty = authority.pair("other"), tmp_path / "empty.pem"
    empty.write_text("")
    return {
        "TLS_KEY_FILE": {"TLS_CERT_FILE": str(shown.certificate), "TLS_KEY_FILE": str(other.key)},
        "TLS_CA_FILE": {"TLS_CA_FILE": str(empty)},
        "TLS_CLIENT_CA_FILE": {"TLS_CLIENT_CA_FILE": str(authority.file)},
        "TLS_CERT_FILE": {"TLS_CERT_FILE": str(tmp_path / "none"), "TLS_KEY_FILE": str(shown.key)},
    }


@pytest.mark.parametrize("name", ["TLS_KEY_FILE", "TLS_CA_FILE", "TLS_CLIENT_CA_FILE", "TLS_CERT_FILE"])
def test_files_that_do_not_fit_are_refused_by_name(
    name: str, nonsense: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in nonsense[name].items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(SystemExit) as refused:
        load_settings(AccessSettings)

    assert refused.value.code == 2
    assert name in {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()}
