"""The whole system with TLS at every port, and a certificate demanded of everybody."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chassis import tls
from deploy.local import Stack, temporary_state
from gateway.client import CallFailed, Client
from gateway.client.client import addresses
from protos.orders.v1 import orders_pb2 as pb
from tests.certificates import Authority, Pair

PORTS = ("rest", "gateway metrics", "orders metrics", "inventory metrics", "suppliers metrics", "payments metrics")


@dataclass(frozen=True)
class Sealed:
    """The system, and what one needs to be let in."""

    stack: Stack
    authority: Path
    mine: Pair

    @property
    def context(self) -> ssl.SSLContext:
        """Of a caller who shows a certificate."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.mine.certificate, self.mine.key)
        return context

    def url(self, port: str) -> str:
        """Where it is spoken HTTP."""
        return f"https://{self.stack.place.address(port)}"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    ours = authority.pair("ours")
    told = {
        "TLS_CERT_FILE": str(ours.certificate), "TLS_KEY_FILE": str(ours.key),
        "TLS_CLIENT_CA_FILE": str(authority.file), "TLS_CA_FILE": str(authority.file),
    }  # fmt: skip
    with temporary_state() as state, Stack(state, environment=told) as stack:
        yield Sealed(stack, authority.file, authority.pair("mine"))


def test_rest_reaches_the_services_through_tls(sealed: Sealed) -> None:
    with httpx.Client(base_url=sealed.url("rest"), verify=sealed.context, trust_env=False, timeout=15) as client:
        assert client.get("/api/v1/orders").json()["data"] == []
        assert client.get("/health").json()["services"]["payments"] == "serving"


@pytest.mark.parametrize("port", PORTS)
def test_without_a_certificate_no_port_of_http_answers(port: str, sealed: Sealed) -> None:
    path = "/health" if port == "rest" else "/metrics"
    assert httpx.get(sealed.url(port) + path, verify=sealed.context, trust_env=False, timeout=15).status_code == 200
    bare = ssl.create_default_context(cafile=sealed.authority)
    for verify, url in ((bare, sealed.url(port)), (bare, sealed.url(port).replace("https", "http"))):
        with pytest.raises(httpx.TransportError):
            httpx.get(url + path, verify=verify, trust_env=False, timeout=15)


def test_a_client_with_its_certificate_is_served_and_one_without_is_not(sealed: Sealed) -> None:
    where = addresses({"PORT_OFFSET": str(sealed.stack.place.port_offset)})
    shown = tls.channel_credentials(sealed.authority, sealed.mine.key, sealed.mine.certificate)
    with Client(where, credentials=shown) as client:
        assert not client.orders.ask(client.orders.rpc.ListOrders, pb.ListOrdersRequest()).orders
    for credentials in (None, tls.channel_credentials(sealed.authority)):
        with Client(where, credentials=credentials) as client, pytest.raises(CallFailed):
            client.orders.ask(client.orders.rpc.ListOrders, pb.ListOrdersRequest(), seconds=3)
