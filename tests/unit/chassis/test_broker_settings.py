"""What is told of Kafka fits together, or is refused by the name of what does not."""

from pathlib import Path

import pytest

from chassis.brokers import Brokers, options_of
from chassis.settings import load_settings
from chassis.topics import TopicSettings
from tests.certificates import Authority

LOGIN = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_USER": "orders", "KAFKA_PASSWORD": "hush"}
NAMES = ("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "SASL_MECHANISM", "USER", "PASSWORD")
FILES = ("TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE")


@pytest.fixture(autouse=True)
def _nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *FILES):
        monkeypatch.delenv(f"KAFKA_{name}", raising=False)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A certificate, its key, and whose it is; and one thing more of each that does not fit."""
    authority = Authority(tmp_path)
    ours, others = authority.pair("ours"), authority.pair("others")
    return {
        "authority": str(authority.file), "certificate": str(ours.certificate), "key": str(ours.key),
        "other key": str(others.key), "nowhere": str(tmp_path / "nowhere.pem"),
    }  # fmt: skip


def told(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Brokers:
    for name, text in settings.items():
        monkeypatch.setenv(name, text)
    return load_settings(TopicSettings).brokers_at(0)


def test_without_a_word_brokers_are_those_of_this_machine_and_open(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = told(monkeypatch, {})

    assert brokers == Brokers("127.0.0.1:59092")
    assert brokers.is_open
    assert options_of("one:1,two:2") == {"bootstrap_servers": ["one:1", "two:2"], "security_protocol": "PLAINTEXT"}


def test_a_login_by_tls_is_told_to_the_client_whole(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    settings = {"KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_TLS_CA_FILE": files["authority"], **LOGIN}

    assert told(monkeypatch, settings).options() == {
        "bootstrap_servers": ["127.0.0.1:59092"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": files["authority"],
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "orders",
        "sasl_plain_password": "hush",
    }


def test_a_certificate_is_told_to_the_client_whole(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    settings = {
        "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA_FILE": files["authority"],
        "KAFKA_TLS_CERT_FILE": files["certificate"], "KAFKA_TLS_KEY_FILE": files["key"],
    }  # fmt: skip

    assert told(monkeypatch, settings).options() == {
        "bootstrap_servers": ["127.0.0.1:59092"],
        "security_protocol": "SSL",
        "ssl_cafile": files["authority"],
        "ssl_certfile": files["certificate"],
        "ssl_keyfile": files["key"],
    }


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("KAFKA_SECURITY_PROTOCOL", {"KAFKA_SECURITY_PROTOCOL": "TLS", **LOGIN}),
        ("KAFKA_SASL_MECHANISM", {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **LOGIN, "KAFKA_SASL_MECHANISM": "GUESS"}),
        ("KAFKA_SASL_MECHANISM", {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **LOGIN, "KAFKA_SASL_MECHANISM": ""}),
        ("KAFKA_USER", {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **LOGIN, "KAFKA_USER": ""}),
        ("KAFKA_PASSWORD", {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **LOGIN, "KAFKA_PASSWORD": ""}),
        ("KAFKA_PASSWORD", {"KAFKA_PASSWORD": "hush"}),
        ("KAFKA_USER", {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_USER": "orders"}),
        ("KAFKA_SASL_MECHANISM", {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN"}),
        ("KAFKA_TLS_CA_FILE", {"KAFKA_TLS_CA_FILE": "authority"}),
        ("KAFKA_TLS_CA_FILE", {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", **LOGIN, "KAFKA_TLS_CA_FILE": "authority"}),
        ("KAFKA_TLS_CA_FILE", {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA_FILE": "nowhere"}),
        ("KAFKA_TLS_CA_FILE", {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA_FILE": "key"}),
        ("KAFKA_TLS_KEY_FILE", {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CERT_FILE": "certificate"}),
        ("KAFKA_TLS_KEY_FILE", {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_KEY_FILE": "key"}),
        (
            "KAFKA_TLS_KEY_FILE",
            {
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_TLS_CERT_FILE": "certificate",
                "KAFKA_TLS_KEY_FILE": "other key",
            },
        ),
    ],
)
def test_what_does_not_fit_together_is_one_line_that_names_it(
    name: str,
    settings: dict[str, str],
    files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        told(monkeypatch, {setting: files.get(text, text) for setting, text in settings.items()})

    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")
    assert "hush" not in line


def test_the_password_is_in_no_picture(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    for name, text in LOGIN.items():
        monkeypatch.setenv(name, text)
    settings = load_settings(TopicSettings)

    assert "hush" not in repr(settings) + repr(settings.brokers_at(0)) + capsys.readouterr().out
