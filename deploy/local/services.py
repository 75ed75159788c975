"""The processes of the system itself: what they are called, where they answer, what they are told."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from deploy.local.answers import grpc_answers, http_answers
from deploy.local.child import Command
from deploy.local.place import Place
from deploy.local.refusals import CannotStart

WEBHOOKS = ("supplier_webhook", "payment_webhook")
"""Secrets that are shared with those who send webhooks."""
SCHEMAS = ("orders", "inventory", "suppliers", "payments", "payments_simulator", "suppliers_simulator")
NOT_FOR_CHILDREN = ("DATABASE_URL", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


@dataclass(frozen=True)
class Service:
    """One package that runs as a process; `face` names the port at which it answers, `metrics` that of its figures."""

    name: str
    face: str
    metrics: str = ""

    @property
    def ports(self) -> tuple[str, ...]:
        return (self.face, self.metrics) if self.metrics else (self.face,)

    def command(self, place: Place, environment: Mapping[str, str], *arguments: str) -> Command:
        run = (sys.executable, "-m", self.name, *arguments)
        told = {**inherited(), **environment}
        if told.get("OIDC_CLIENT_SECRET"):
            told.setdefault("OIDC_CLIENT_ID", self.name)
        if self in SIMULATORS:
            told |= way_of_webhooks(place, told)
        return Command(" ".join((self.name, *arguments)), run, place.log_of(self.name), environment=told)

    def answering_at(self, place: Place, environment: Mapping[str, str] = os.environ) -> Callable[[], bool]:
        address = place.address(self.face)
        if self in SIMULATORS:
            return partial(http_answers, f"http://{address}/health/ready")
        if self.face == "rest":
            return partial(http_answers, f"{scheme_in(environment)}://{address}/health/ready", environment)
        return partial(grpc_answers, address, environment)


BACKENDS = (
    Service("inventory_service", "inventory", "inventory metrics"),
    Service("payment_service", "payments", "payments metrics"),
    Service("supplier_service", "suppliers", "suppliers metrics"),
    Service("order_service", "orders", "orders metrics"),
)
GATEWAY = Service("gateway", "rest", "gateway metrics")
SERVICES = (*BACKENDS, GATEWAY)
SIMULATORS = (
    Service("payment_service.simulator", "payments simulator"),
    Service("supplier_service.simulator", "suppliers simulator"),
)
"""Parties outside, played by processes of their own where SIMULATORS=http; else the services play them themselves."""


def processes(with_simulators: bool) -> tuple[Service, ...]:
    """What a stack consists of, beside its infrastructure."""
    return (*SIMULATORS, *SERVICES) if with_simulators else SERVICES


def wants_simulators(environment: Mapping[str, str]) -> bool:
    """Whether SIMULATORS asks for processes. Raises CannotStart when it makes no sense."""
    told = environment.get("SIMULATORS") or "inprocess"
    if told not in ("inprocess", "http"):
        raise CannotStart(f"SIMULATORS is {told!r}: it must be inprocess or http.")
    return told == "http"


def scheme_in(environment: Mapping[str, str]) -> str:
    """How REST is spoken to."""
    return "https" if environment.get("TLS_CERT_FILE") else "http"


def way_of_webhooks(place: Place, environment: Mapping[str, str]) -> dict[str, str]:
    """Where simulators bring their webhooks, and whom they believe there, when the gateway of this stack speaks TLS."""
    if scheme_in(environment) == "http" or environment.get("WEBHOOK_URL"):
        return {}
    authority = environment.get("TLS_CA_FILE")
    return {"WEBHOOK_URL": f"https://{place.address('rest')}", **({"SSL_CERT_FILE": authority} if authority else {})}


def inherited() -> dict[str, str]:
    """Our own environment, without what only concerns whoever starts the stack."""
    return {name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN}


def environment_of(
    place: Place, database_url: str, kafka: str, redis: str, passwords: Mapping[str, str]
) -> dict[str, str]:
    """How services find their surroundings; a schema's URL that the environment names is left as it is."""
    urls = {f"{schema.upper()}_DATABASE_URL": schema for schema in SCHEMAS}
    return {
        "PORT_OFFSET": str(place.port_offset),
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "REDIS_URL": redis,
        **{
            name: os.environ.get(name) or url_for(database_url, schema, passwords[schema])
            for name, schema in urls.items()
        },
        **{
            name: os.environ.get(name) or passwords[webhook]
            for webhook in WEBHOOKS
            for name in [f"{webhook.upper()}_SECRET"]
        },
    }


def url_for(owner_url: str, role: str, password: str) -> str:
    parts = urlsplit(owner_url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role}:{password}@{host}").geturl()
