"""The development issuer: tokens for whoever may read the state folder, believed by the door of a service."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from chassis.access.caller import Caller, Role
from chassis.access.issuer import Issuer, IssuerSilent
from chassis.access.keys import Keys
from chassis.access.service_token import ServiceToken
from chassis.access.tokens import Rules, Tokens
from deploy.local.access import LocalIssuer, wants_issuer
from deploy.local.issuer import AUDIENCE, SECRET_FILE
from deploy.local.issuer.faces import Desk, server_of
from deploy.local.issuer.signing import secret_of, signer_of
from deploy.local.place import Place
from deploy.local.services import BACKENDS
from gateway.orderctl import main


@dataclass
class Running:
    """An issuer on a port of its own, and its state folder."""

    url: str
    state: Path

    @property
    def secret(self) -> str:
        """What one must know to get tokens."""
        return secret_of(self.state).read_text()

    def ask(self, client: str = "development", secret: str | None = None, **form: str) -> httpx.Response:
        """Ask for a token."""
        known = self.secret if secret is None else secret
        return httpx.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", **form},
            auth=(client, known),
            trust_env=False,
        )

    def caller_of(self, authorization: str) -> Caller:
        """What a service makes of a token of this issuer."""

        async def ask() -> Caller:
            return await Tokens(Rules(self.url, AUDIENCE), Keys(Issuer(self.url).keys)).caller_of(authorization)

        return asyncio.run(ask())


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = server_of(Desk(signer_of(tmp_path, url), secret_of(tmp_path)), port)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield Running(url, tmp_path)
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def orderctl(issuer: Running, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("OIDC_ISSUER", issuer.url)
    return CliRunner()


def token(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(main, ["token", *words])


def test_orderctl_prints_a_token_alone_that_services_believe(issuer: Running, orderctl: CliRunner) -> None:
    printed = token(orderctl, "--customer", "anna")

    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.count("\n") == 1
    assert issuer.caller_of(f"Bearer {printed.stdout.strip()}") == Caller(Role.CUSTOMER, "anna", "anna")


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SERVICE])
def test_operators_and_services_have_tokens_too(role: Role, issuer: Running, orderctl: CliRunner) -> None:
    printed = token(orderctl, "--role", role.value, "--subject", "maria").stdout.strip()

    assert issuer.caller_of(f"Bearer {printed}") == Caller(role, "maria")


@pytest.mark.parametrize("words", [(), ("--customer", "anna", "--role", "operator"), ("--role", "root")])
def test_one_is_one_thing(words: tuple[str, ...], orderctl: CliRunner) -> None:
    assert token(orderctl, *words).exit_code == 2


def test_without_an_issuer_there_are_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "http://127.0.0.1:9")

    refused = token(CliRunner(), "--role", "operator")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "AUTH=on make start" in refused.stderr


def test_an_issuer_elsewhere_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example")

    assert token(CliRunner(), "--role", "operator").exit_code == 1


def test_no_other_file_is_read_whoever_names_it(issuer: Running, orderctl: CliRunner, tmp_path: Path) -> None:
    """Somebody else on this machine may sit on the issuer's port."""
    (tmp_path / "issuer" / SECRET_FILE).write_text("-----BEGIN PRIVATE KEY-----")

    assert "no secret of a development issuer" in token(orderctl, "--role", "operator").stderr


def test_who_does_not_know_the_secret_gets_nothing(issuer: Running) -> None:
    assert issuer.ask(secret="0" * 48, role="operator").status_code == 401
    assert issuer.ask(client="orders", secret="").status_code == 401
    assert secret_of(issuer.state).stat().st_mode & 0o777 == 0o600
    assert (issuer.state / "issuer" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (issuer.state / "issuer").stat().st_mode & 0o777 == 0o700


def test_a_client_other_than_development_is_a_service_whatever_it_asks_for(issuer: Running) -> None:
    answer = issuer.ask(client="order_service", role="operator").json()

    assert issuer.caller_of(f"Bearer {answer['access_token']}") == Caller(Role.SERVICE, "order_service")


@pytest.mark.parametrize("form", [{}, {"role": "root"}, {"role": "operator", "customer_id": "anna"}])
def test_nonsense_is_refused(form: dict[str, str], issuer: Running) -> None:
    assert issuer.ask(**form).status_code == 400
    assert issuer.ask(grant_type="password", role="operator").status_code == 400


def test_a_page_with_a_name_of_its_own_is_not_let_in(issuer: Running) -> None:
    headers = {"host": "evil.example"}

    assert httpx.get(f"{issuer.url}/keys", headers=headers, trust_env=False).status_code == 404
    assert httpx.post(f"{issuer.url}/token", headers=headers, trust_env=False).status_code == 404


def test_the_key_outlives_the_process(tmp_path: Path) -> None:
    first = signer_of(tmp_path, "http://127.0.0.1:1")

    assert signer_of(tmp_path, "http://127.0.0.1:1").public == first.public


def test_a_service_gets_a_token_of_its_own(issuer: Running) -> None:
    async def ask() -> str:
        source = Issuer(issuer.url)
        return await ServiceToken(lambda: source.token("order_service", issuer.secret)).header()

    assert issuer.caller_of(asyncio.run(ask())).actor == "service:order_service"


def test_another_issuers_document_is_not_taken_for_ours(issuer: Running) -> None:
    async def ask() -> None:
        await Issuer(issuer.url + "/").keys()

    with pytest.raises(IssuerSilent, match="another issuer"):
        asyncio.run(ask())


def test_the_stack_runs_an_issuer_only_when_it_is_wanted(tmp_path: Path) -> None:
    assert wants_issuer({"AUTH": "on"})
    assert not wants_issuer({})
    assert not wants_issuer({"AUTH": "off"})
    assert not wants_issuer({"AUTH": "on", "OIDC_ISSUER": "https://issuer.example"})


def test_each_service_is_a_client_under_its_own_name(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.make()
    told = BACKENDS[3].command(place, LocalIssuer(place).environment).environment

    assert told["OIDC_CLIENT_ID"] == "order_service"
    assert told["OIDC_ISSUER"] == "http://127.0.0.1:8083"
