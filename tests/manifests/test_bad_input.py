"""A process that the manifests tell too little, or nonsense, ends at once, with one line that names the variable."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
from pydantic_settings import BaseSettings

from tests.architecture.sources import PROJECT
from tests.manifests.checking import whole
from tests.manifests.environment import SETTINGS, refused, values
from tests.manifests.kustomize import NoKustomize
from tests.manifests.workloads import Manifests, Workload, variables

NONSENSE = {
    "AUTH": "perhaps",
    "DRAIN_SECONDS": "soon",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "OIDC_ISSUER": "sso.example",
    "PAYMENT_PROVIDER_URL": "payments.example",
    "PAYMENT_WEBHOOK_SECRET": "short",
    "RATE_LIMIT_PER_MINUTE": "many",
    "REDIS_URL": "valkey:6379",
    "ROLES": "everything",
    "SERVICE_RATE_LIMIT_PER_MINUTE": "-1",
    "SIMULATORS": "some",
    "SUPPLIER_URL": "suppliers.example",
    "SUPPLIER_WEBHOOK_SECRET": "short",
}
ANY_TEXT = frozenset(
    {"LISTEN_HOST", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OWN_SUBJECTS", "PAYMENT_PROVIDER_TOKEN", "SUPPLIER_TOKEN"}
)
"""What no text can be told to be nonsense for."""


@pytest.fixture(scope="module")
def production() -> Manifests:
    try:
        return whole("production")
    except NoKustomize as error:
        pytest.skip(str(error))


def environment_of(workload: Workload, manifests: Manifests) -> dict[str, str]:
    return values(list(variables(workload, manifests)))


def start(workload: Workload, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run what the pod runs, as far as it gets."""
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "build" / "generated")])
    return subprocess.run(
        [sys.executable, "-m", *workload.container["args"]],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def nonsense_for(name: str) -> str:
    return NONSENSE.get(name, "nonsense")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("orders-api", "ORDERS_DATABASE_URL"),
        ("inventory-worker", "INVENTORY_DATABASE_URL"),
        ("suppliers-relay", "SUPPLIERS_DATABASE_URL"),
        ("payments-jobs", "PAYMENTS_SIMULATOR_DATABASE_URL"),
        ("gateway", "OIDC_ISSUER"),
        ("migrate-suppliers", "SUPPLIERS_SIMULATOR_DATABASE_URL"),
    ],
)
def test_a_process_without_a_required_variable_ends_at_once(production: Manifests, name: str, variable: str) -> None:
    [workload] = [found for found in production.ours if found.name == name]
    environment = environment_of(workload, production)
    del environment[variable]

    ended = start(workload, environment)

    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"{variable}: ")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("orders-worker", "ROLES"),
        ("inventory-api", "KAFKA_BOOTSTRAP_SERVERS"),
        ("payments-api", "PAYMENT_WEBHOOK_SECRET"),
        ("gateway", "ORDERS_ADDRESS"),
        ("topics", "KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_a_process_that_is_told_nonsense_ends_at_once(production: Manifests, name: str, variable: str) -> None:
    [workload] = [found for found in production.ours if found.name == name]

    ended = start(workload, environment_of(workload, production) | {variable: nonsense_for(variable)})

    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"{variable}: ")
    assert nonsense_for(variable) not in line


def test_no_variable_of_any_process_can_be_nonsense_unnoticed(production: Manifests) -> None:
    unnoticed = [
        f"{workload}: {variable}"
        for workload in production.ours
        for variable in unnoticed_nonsense(SETTINGS[workload.package], environment_of(workload, production))
    ]
    assert unnoticed == []


def unnoticed_nonsense(settings: type[BaseSettings], environment: Mapping[str, str]) -> Iterator[str]:
    known = {name.upper() for name in settings.model_fields} & set(environment) - ANY_TEXT
    for variable in sorted(known):
        told = refused(settings, {**environment, variable: nonsense_for(variable)})
        if not any(line.startswith(f"{variable}: ") for line in told):
            yield variable


def test_no_process_starts_without_its_databases(production: Manifests) -> None:
    for workload in production.ours:
        environment = environment_of(workload, production)
        for variable in (name for name in environment if name.endswith("_DATABASE_URL")):
            rest = {name: text for name, text in environment.items() if name != variable}
            assert refused(SETTINGS[workload.package], rest) == [f"{variable}: is not set"], workload
