"""`orderctl token`: a token of the development issuer of one machine, alone on stdout."""

import os
import re
from pathlib import Path
from typing import Any, Final

import click
import httpx

from chassis.addresses import is_loopback
from gateway.orderctl.session import Refused, Session, verb

ISSUER_PORT: Final = 8083
_SECONDS: Final = 5.0
_SECRET: Final = re.compile(r"[0-9a-f]{48}")
_SECRET_FILE: Final = "development-secret"


@click.command()
@click.option("--customer", metavar="ID", default="", help="A customer, who sees only their own orders.")
@click.option("--role", type=click.Choice(["operator", "service"]), help="An operator, or another team's service.")
@click.option("--subject", metavar="NAME", default="", help="Whom timeline and audit name (the role).")
@verb
def token(session: Session, customer: str, role: str | None, subject: str) -> None:
    """A token for trying things out, from the issuer that `AUTH=on make start` runs.

    export API_TOKEN=$(orderctl token --role operator)
    """
    if bool(customer) == bool(role):
        raise click.UsageError("Either --customer ID, or --role operator, or --role service.")
    wanted = {"role": role or "customer", "customer_id": customer, "subject": subject}
    click.echo(_asked(_issuer(), {name: value for name, value in wanted.items() if value}))


def _issuer() -> str:
    try:
        offset = int(os.environ.get("PORT_OFFSET") or 0)
    except ValueError as error:
        raise click.UsageError("PORT_OFFSET must be a whole number.") from error
    url = os.environ.get("OIDC_ISSUER") or f"http://127.0.0.1:{ISSUER_PORT + offset}"
    if not is_loopback(httpx.URL(url).host):
        raise Refused(f"{url} is no development issuer: get a token from it as its users do, and set API_TOKEN.")
    return url.rstrip("/")


def _asked(issuer: str, wanted: dict[str, str]) -> str:
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as http:
            document = http.get(f"{issuer}/.well-known/openid-configuration").json()
            client = ("development", _secret(document))
            form = {"grant_type": "client_credentials", **wanted}
            answer: dict[str, Any] = http.post(f"{issuer}/token", data=form, auth=client).json()
    except (httpx.HTTPError, ValueError) as error:
        raise Refused(f"No development issuer answers at {issuer}; `AUTH=on make start` starts one.") from error
    if "access_token" not in answer:
        raise Refused(f"The issuer at {issuer} refuses: {answer.get('error_description', 'without a reason')}.")
    return str(answer["access_token"])


def _secret(document: dict[str, Any]) -> str:
    """Only whoever may read the state folder gets tokens; and nothing but such a secret is read, whoever names it."""
    file = Path(str(document.get("development_secret_file", "")))
    if file.name != _SECRET_FILE:
        raise Refused("The issuer is no development issuer: get a token from it as its users do, and set API_TOKEN.")
    secret = file.read_text()
    if not _SECRET.fullmatch(secret):
        raise Refused(f"{file} holds no secret of a development issuer.")
    return secret
