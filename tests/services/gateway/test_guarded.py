"""The gateway's own door: what is asked of whom, and what is said when the issuer is silent."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.issuer.faces import Desk, server_of
from deploy.local.issuer.signing import Signer, secret_of, signer_of
from gateway.settings import GatewaySettings
from tests.services.gateway.conftest import Stage, serving
from tests.services.gateway.services import an_order
from tests.waiting import until

AN_ID = "0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11"
GET_ORDER = "/orders.v1.OrderService/GetOrder"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Signer]:
    """An issuer that answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    signer = signer_of(tmp_path, f"http://127.0.0.1:{port}")
    server = server_of(Desk(signer, secret_of(tmp_path)), port)
    answering = threading.Thread(target=server.serve_forever)
    answering.start()
    yield signer
    server.shutdown()
    answering.join()
    server.server_close()


def guarded(stage: Stage, issuer: str, **told: Any) -> Iterator[httpx.Client]:
    """A gateway before the stage's services that asks who calls."""
    addresses: dict[str, Any] = {f"{name}_address": f"127.0.0.1:{port}" for name, port in stage.ports.items()}
    settings = GatewaySettings(auth="on", oidc_issuer=issuer, **addresses, **told)
    is_over, ports = asyncio.Event(), list[int]()

    async def play() -> None:
        async with serving(settings) as port:
            ports.append(port)
            await is_over.wait()

    playing = asyncio.run_coroutine_threadsafe(play(), stage.loop)
    assert until(lambda: bool(ports))
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}/api/v1", timeout=15, trust_env=False) as client:
        yield client
    stage.loop.call_soon_threadsafe(is_over.set)
    playing.result(15)


@pytest.fixture
def client(stage: Stage, issuer: Signer) -> Iterator[httpx.Client]:
    yield from guarded(stage, issuer.issuer)


@pytest.fixture
def lonely(stage: Stage) -> Iterator[httpx.Client]:
    """A gateway whose issuer is not there."""
    yield from guarded(stage, "http://127.0.0.1:9")


def test_the_token_that_was_believed_goes_on_to_the_service(client: httpx.Client, stage: Stage, issuer: Signer) -> None:
    stage.orders.on(GET_ORDER, lambda request, context: an_order())
    bearer = f"Bearer {issuer.token('customer', 'anna', 'anna')}"

    assert client.get(f"/orders/{AN_ID}", headers={"authorization": bearer}).status_code == 200
    assert stage.orders.metadata[-1]["authorization"] == bearer


def test_who_is_not_let_in_reaches_no_service(client: httpx.Client, stage: Stage, issuer: Signer) -> None:
    stage.orders.on(GET_ORDER, lambda request, context: an_order())
    customer = f"Bearer {issuer.token('customer', 'anna', 'anna')}"
    for authorization in (None, "Bearer x", "Basic YTpi", customer[:-4] + "AAAA"):
        answer = client.get(f"/orders/{AN_ID}", headers={"authorization": authorization} if authorization else {})
        assert (answer.status_code, answer.json()["error_code"]) == (401, "unauthenticated")
        challenge = answer.headers["www-authenticate"]
        assert challenge == "Bearer" if authorization is None else challenge.startswith('Bearer error="invalid_token"')
    refused = client.get("/operations/dead-letters", headers={"authorization": customer})
    assert (refused.status_code, refused.json()["error_code"]) == (403, "permission_denied")
    assert not any(service.asked for service in stage.services.values())


def test_a_refused_upload_is_not_carried_anywhere(client: httpx.Client, stage: Stage, issuer: Signer) -> None:
    headers = {"authorization": f"Bearer {issuer.token('customer', 'anna', 'anna')}", "content-type": "text/csv"}

    assert client.post("/imports", content=b"x" * 1_000_000, headers=headers).status_code == 403
    assert not stage.orders.asked


def test_while_the_issuer_is_silent_nobody_is_called_a_liar(lonely: httpx.Client, issuer: Signer) -> None:
    bearer = f"Bearer {issuer.token('customer', 'anna', 'anna')}"

    answer = lonely.get(f"/orders/{AN_ID}", headers={"authorization": bearer})

    assert (answer.status_code, answer.json()["error_code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert lonely.get(f"/orders/{AN_ID}").status_code == 401
    assert lonely.get("/health/live").status_code == 200
