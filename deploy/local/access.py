"""Access on one machine: whether the development issuer is wanted, how it is run, and what the services are told."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from deploy.local.answers import http_answers
from deploy.local.child import Command
from deploy.local.issuer import NAME
from deploy.local.issuer.signing import secret_of, signer_of
from deploy.local.place import Place


def wants_issuer(environment: Mapping[str, str]) -> bool:
    """AUTH is on, and nobody has named an issuer of their own."""
    return environment.get("AUTH", "").lower() == "on" and not environment.get("OIDC_ISSUER")


@dataclass(frozen=True)
class LocalIssuer:
    """The development issuer of one stack."""

    place: Place

    @property
    def url(self) -> str:
        return f"http://{self.place.address(NAME)}"

    @property
    def environment(self) -> dict[str, str]:
        """What the services are told about it; each is a client of it under its own name."""
        return {"OIDC_ISSUER": self.url, "OIDC_CLIENT_SECRET": secret_of(self.place.state).read_text()}

    @property
    def command(self) -> Command:
        stands = {"STATE_DIR": str(self.place.state), "PORT_OFFSET": str(self.place.port_offset)}
        run = (sys.executable, "-m", "deploy.local.issuer")
        return Command(NAME, run, self.place.log_of(NAME), environment={**os.environ, **stands})

    @property
    def answers(self) -> Callable[[], bool]:
        return partial(http_answers, f"{self.url}/keys")

    def operator_token(self) -> str:
        """For what the stack itself does by `orderctl`."""
        return signer_of(self.place.state, self.url).token("operator", "make run")
