"""Makes the simulated parties outside misbehave, while they run as processes of their own (SIMULATORS=http)."""

import os
from collections.abc import Callable
from typing import Any, Final

import click
import httpx

from chassis.settings import SIMULATOR_PORTS
from chassis.simulation.behaviour import Behaviour
from chassis.simulation.switch import CONTROL_PATH
from gateway.orderctl.session import Refused, Session, Unusable, Verbs, verb

_URLS: Final = {"payments": "PAYMENT_PROVIDER_URL", "suppliers": "SUPPLIER_URL"}
"""Settings that name another place than this machine."""
_SECONDS: Final = 10.0


@click.group(cls=Verbs)
def simulate() -> None:
    """Switch how the simulated payment provider and suppliers behave."""


def _add_party(context: str, sentence: str) -> None:
    @simulate.group(context, cls=Verbs, help=sentence)
    def party() -> None:
        pass

    @party.command()
    @verb
    def show(session: Session) -> None:
        """Show what is switched on."""
        _shown(session, _asked(context, "GET"))

    @party.command("set")
    @_with_switches
    @verb
    def change(session: Session, /, **switches: int | None) -> None:
        """Switch what is named, and leave the rest as it is."""
        changes = {name: value for name, value in switches.items() if value is not None}
        if not changes:
            raise click.UsageError("Name at least one switch; --help lists them.")
        _shown(session, _asked(context, "PUT", changes))

    @party.command()
    @verb
    def reset(session: Session) -> None:
        """Switch everything off: it does what its scenarios say, and nothing worse."""
        _shown(session, _asked(context, "DELETE"))


def _with_switches(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, field in reversed(Behaviour.model_fields.items()):
        unit = " (ms)" if name.endswith("_ms") else ""
        word = name.removesuffix("_ms").replace("_", "-")
        command = click.option(f"--{word}", name, type=int, help=f"{field.description}{unit}")(command)
    return command


def _asked(context: str, method: str, changes: dict[str, int] | None = None) -> dict[str, Any]:
    url = _url_of(context)
    try:
        answer = httpx.request(method, f"{url}{CONTROL_PATH}", json=changes, timeout=_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise Refused(
            f"Nothing answers for the simulated {context} at {url}. They are processes of their own only where the"
            " stack was started with SIMULATORS=http; else the services play them, and scenarios choose how."
        ) from error
    if answer.status_code == 422:
        raise Unusable("; ".join(answer.json()["errors"]))
    if answer.status_code != 200:
        raise Refused(f"What answers at {url} is no simulated party (status {answer.status_code}).")
    document: dict[str, Any] = answer.json()
    return document


def _url_of(context: str) -> str:
    offset = os.environ.get("PORT_OFFSET") or "0"
    if not offset.isdecimal():
        raise click.UsageError("PORT_OFFSET must be a whole number.")
    return os.environ.get(_URLS[context]) or f"http://127.0.0.1:{SIMULATOR_PORTS[context] + int(offset)}"


def _shown(session: Session, behaviour: dict[str, Any]) -> None:
    if session.output.is_json:
        session.output.json({"data": behaviour})
    else:
        session.output.pairs(behaviour)


_add_party("payments", "Switch how the simulated payment provider behaves.")
_add_party("suppliers", "Switch how the simulated suppliers behave.")
