"""The command line against services that answer as laid out."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from gateway.orderctl import main
from tests.unit.gateway.orderctl.fake_services import FakeServices

Orderctl = Callable[..., Result]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServices]:
    fakes = FakeServices()
    with fakes.serving() as address:
        for context in ("ORDERS", "INVENTORY", "SUPPLIERS", "PAYMENTS"):
            monkeypatch.setenv(f"{context}_ADDRESS", address)
        yield fakes


@pytest.fixture
def orderctl() -> Orderctl:
    runner = CliRunner()
    return lambda *arguments: runner.invoke(main, [str(argument) for argument in arguments])
