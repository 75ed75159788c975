"""What a process is told about access; what makes no sense is refused by name, in one line."""

import pytest

from chassis.settings import ServiceSettings, load_settings

ON = {"AUTH": "on", "OIDC_ISSUER": "https://issuer.example/realms/shop"}


def refusal(told: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as refused:
        load_settings(ServiceSettings)
    assert refused.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH", "OIDC_ISSUER", "LISTEN_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "shop.example", ""])
@pytest.mark.parametrize("auth", [{}, {"AUTH": "off"}])
def test_without_auth_nothing_but_loopback_is_listened_on(
    host: str, auth: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not host:
        assert load_settings(ServiceSettings).listen_host == "127.0.0.1"
        return
    told = refusal(auth | {"LISTEN_HOST": host}, monkeypatch, capsys)

    assert told == "LISTEN_HOST: must be a loopback address while AUTH is off\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_always_allowed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_HOST", host)

    assert load_settings(ServiceSettings).listen_host == host


def test_with_auth_any_address_may_be_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (ON | {"LISTEN_HOST": "0.0.0.0", "AUTH": "ON"}).items():
        monkeypatch.setenv(name, value)

    settings = load_settings(ServiceSettings)

    assert settings.asks_callers
    assert settings.grpc_address("orders") == "0.0.0.0:50051"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER: must be set while AUTH is on\n"),
        ({"AUTH": "yes"}, "AUTH: must be 'off' or 'on'\n"),
        ({"OIDC_ISSUER": "http://issuer.example"}, "OIDC_ISSUER: must be an https:// URL"),
        ({"OIDC_JWKS_URL": "http://issuer.example/keys"}, "OIDC_JWKS_URL: must be an https:// URL"),
        ({"OIDC_TOKEN_URL": "ftp://127.0.0.1/token"}, "OIDC_TOKEN_URL: must be an https:// URL"),
        ({"OIDC_CLOCK_SKEW_SECONDS": "301"}, "OIDC_CLOCK_SKEW_SECONDS: "),
    ],
)
def test_nonsense_is_refused(
    changes: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(ON | changes, monkeypatch, capsys)

    assert line.startswith(told)
    assert line.count("\n") == 1


def test_the_secret_is_in_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_CLIENT_SECRET", "hush")

    assert "hush" not in repr(load_settings(ServiceSettings))
