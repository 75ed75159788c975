"""The secrets that the manifests name, with new passwords: `python -m deploy.kubernetes.secrets | kubectl create -f -`.

What only somebody else can give, such as the client of your issuer, is read from the environment, and named when it
is missing there.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NAMESPACE: Final = "order-system"
DATABASE_HOST: Final = "order-system-db-rw"
DATABASE: Final = "orders_db"
ROLES: Final = ("orders", "inventory", "suppliers", "payments", "payments_simulator", "suppliers_simulator")
"""A role of Postgres, and a schema of its name, for each context and each simulator."""


@dataclass(frozen=True)
class Given:
    """A secret whose values others give: by key, the variable that each is read from."""

    variables: Mapping[str, str]
    is_for_production: bool = False


GIVEN: Final = {
    "orders-oidc": Given({"client-id": "ORDERS_OIDC_CLIENT_ID", "client-secret": "ORDERS_OIDC_CLIENT_SECRET"}),
    "gateway-oidc": Given({"client-id": "GATEWAY_OIDC_CLIENT_ID", "client-secret": "GATEWAY_OIDC_CLIENT_SECRET"}),
    "providers": Given({"payments": "PAYMENT_PROVIDER_TOKEN", "suppliers": "SUPPLIER_TOKEN"}, is_for_production=True),
    "backup-store": Given(
        {"access-key-id": "BACKUP_ACCESS_KEY_ID", "secret-access-key": "BACKUP_SECRET_ACCESS_KEY"},
        is_for_production=True,
    ),
}
KAFKA_USERS: Final = (
    "orders-kafka",
    "inventory-kafka",
    "suppliers-kafka",
    "payments-kafka",
    "topics-kafka",
    "keda-kafka",
)
"""A user of Kafka for each context, for who makes topics and for who looks how far groups are."""
KAFKA_AUTHORITY: Final = "order-system-cluster-ca-cert"
MADE_ELSEWHERE: Final = {
    "gateway-tls": frozenset({"tls.crt", "tls.key"}),
    KAFKA_AUTHORITY: frozenset({"ca.crt"}),
    **dict.fromkeys(KAFKA_USERS, frozenset({"user.crt", "user.key"})),
}
"""By cert-manager, or `kubectl create secret tls`; those of Kafka by Strimzi."""


def database_secret(role: str) -> str:
    """The secret of a role of Postgres; its names may hold no underscore."""
    return f"{role.replace('_', '-')}-database"


def made() -> dict[str, dict[str, str]]:
    """The secrets that nobody else has to know, by name and key, with new values."""
    cache, hooks = secrets.token_hex(24), {name: secrets.token_hex(24) for name in ("payments", "suppliers")}
    return {
        **{database_secret(role): _database(role) for role in ROLES},
        "redis": {"password": cache, "url": f"redis://:{cache}@valkey:6379/0"},
        "webhooks": hooks,
    }


def _database(role: str) -> dict[str, str]:
    password = secrets.token_hex(24)
    url = f"postgresql://{role}:{password}@{DATABASE_HOST}:5432/{DATABASE}"
    return {"username": role, "password": password, "url": url}


def given(environment: Mapping[str, str], *, is_production: bool) -> dict[str, dict[str, str]]:
    """The secrets that others give. Raises KeyError with the first variable that is not set."""
    wanted = {name: secret for name, secret in GIVEN.items() if is_production or not secret.is_for_production}
    return {
        name: {key: environment[variable] for key, variable in secret.variables.items()}
        for name, secret in wanted.items()
    }


def manifest(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """A secret as a resource of Kubernetes."""
    labels = {"app.kubernetes.io/part-of": "order-system"}
    if name.endswith("-database") or name == "backup-store":
        labels["cnpg.io/reload"] = "true"  # else CloudNativePG does not look when it changes
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "type": "kubernetes.io/basic-auth" if name.endswith("-database") else "Opaque",
        "stringData": dict(values),
    }


def main(arguments: list[str]) -> int:
    """Print all secrets as one list; 2 when the overlay is not named, or something that must be given is not."""
    if arguments not in (["small"], ["production"]):
        print("usage: python -m deploy.kubernetes.secrets small|production", file=sys.stderr)
        return 2
    try:
        told = given(os.environ, is_production=arguments == ["production"])
    except KeyError as error:
        print(f"{error.args[0]}: is not set", file=sys.stderr)
        return 2
    items = [manifest(name, values) for name, values in (made() | told).items()]
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
