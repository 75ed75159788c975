"""The secrets that the manifests name are made whole, or not at all."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from deploy.kubernetes import secrets
from tests.manifests.schemas import complaints

GIVEN = {name: "told" for secret in secrets.GIVEN.values() for name in secret.variables.values()}


def made(overlay: str, told: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.kubernetes.secrets", overlay],
        env={"PATH": os.environ["PATH"], **told}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("overlay", ["small", "production"])
def test_secrets_are_resources_that_kubernetes_takes(overlay: str) -> None:
    items = json.loads(made(overlay, GIVEN).stdout)["items"]

    assert [said for item in items for said in complaints(item)] == []
    names = {item["metadata"]["name"] for item in items}
    assert names >= {"orders-database", "payments-simulator-database", "redis", "webhooks", "orders-oidc"}
    assert ("backup-store" in names) == (overlay == "production")


def test_a_secret_that_changes_is_looked_at_again_by_the_operator_of_postgres() -> None:
    items = json.loads(made("production", GIVEN).stdout)["items"]

    watched = {item["metadata"]["name"] for item in items if item["metadata"]["labels"].get("cnpg.io/reload") == "true"}
    assert watched == {*(secrets.database_secret(role) for role in secrets.ROLES), "backup-store"}


def test_a_url_holds_the_password_that_postgres_is_told() -> None:
    items = {item["metadata"]["name"]: item["stringData"] for item in json.loads(made("small", GIVEN).stdout)["items"]}
    for role in secrets.ROLES:
        told = items[secrets.database_secret(role)]
        assert told["url"] == f"postgresql://{role}:{told['password']}@order-system-db-rw:5432/orders_db"
        assert len(told["password"]) == 48


def test_passwords_are_new_each_time() -> None:
    assert secrets.made()["orders-database"] != secrets.made()["orders-database"]


def test_what_is_not_told_is_named() -> None:
    told = {name: text for name, text in GIVEN.items() if name != "SUPPLIER_TOKEN"}

    assert made("small", told).returncode == 0
    refused = made("production", told)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "SUPPLIER_TOKEN: is not set\n")
    assert made("medium", GIVEN).returncode == 2
