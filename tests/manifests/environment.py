"""Whether each process is told what it needs, in words that it knows: commands, variables, secrets."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from chassis.addresses import is_loopback
from chassis.settings import refusals
from chassis.topics import TopicSettings
from deploy.kubernetes import secrets
from gateway.settings import GatewaySettings
from inventory_service.settings import InventorySettings
from order_service.settings import OrderSettings
from payment_service.settings import PaymentSettings
from supplier_service.settings import SupplierSettings
from tests.manifests.stand_ins import stand_in
from tests.manifests.workloads import Manifests, SecretFile, SecretKey, Variable, Workload, secret_files, variables

SETTINGS: Final[Mapping[str, type[BaseSettings]]] = {
    "order_service": OrderSettings,
    "inventory_service": InventorySettings,
    "supplier_service": SupplierSettings,
    "payment_service": PaymentSettings,
    "gateway": GatewaySettings,
    "chassis.topics": TopicSettings,
}
_STORES: Final = ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL")
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "order_service": (*_STORES, "INVENTORY_ADDRESS", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"),
    "inventory_service": _STORES,
    "supplier_service": (*_STORES, "SUPPLIER_WEBHOOK_SECRET", "SIMULATORS"),
    "payment_service": (*_STORES, "PAYMENT_WEBHOOK_SECRET", "SIMULATORS"),
    "gateway": (
        "ORDERS_ADDRESS", "INVENTORY_ADDRESS", "SUPPLIERS_ADDRESS", "PAYMENTS_ADDRESS",
        "REDIS_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET",
    ),
    "chassis.topics": ("KAFKA_BOOTSTRAP_SERVERS",),
}  # fmt: skip
"""What has a default that is right on one machine alone, beside what is required or must be told since AUTH is on."""
OVER_HTTP: Final = {
    "supplier_service": ("SUPPLIER_URL", "SUPPLIER_TOKEN"),
    "payment_service": ("PAYMENT_PROVIDER_URL", "PAYMENT_PROVIDER_TOKEN"),
}
"""What a service needs beside that when the parties outside are not imitated."""
_EVERYWHERE: Final = frozenset({"AUTH", "LISTEN_HOST"})


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each command, variable or secret that the code does not know, and for each that is missing."""
    used: set[SecretKey] = set(_references(manifests))
    for workload in manifests.ours:
        yield from _of_command(workload)
        told = list(variables(workload, manifests))
        used |= {variable.value for variable in told if isinstance(variable.value, SecretKey)}
        if workload.package in SETTINGS:
            yield from (f"{workload}: {sentence}" for sentence in _of_environment(workload, told))
    yield from _of_secrets(used)


def _of_command(workload: Workload) -> Iterator[str]:
    package, *options = workload.container["args"]
    if package not in SETTINGS:
        yield f"{workload}: {package} is nothing that runs"
    if options != (["--migrate"] if workload.name.startswith("migrate-") else []):
        yield f"{workload}: {package} is not called with {options}"
    if "command" in workload.container:
        yield f"{workload}: the image has a command of its own"


def _of_environment(workload: Workload, told: list[Variable]) -> Iterator[str]:
    cls = SETTINGS[workload.package]
    known = {name.upper() for name in cls.model_fields}
    anybodys = {name.upper() for settings in SETTINGS.values() for name in settings.model_fields}
    for variable in told:
        if variable.name not in (known if variable.is_own else anybodys):
            yield f"{variable.name} is no setting of it"
    yield from _missing(workload, {variable.name: variable.value for variable in told})
    yield from refused(cls, values(told))


def _missing(workload: Workload, told: Mapping[str, object]) -> Iterator[str]:
    needed = set(NEEDED[workload.package]) if "--migrate" not in workload.container["args"] else set()
    if workload.kind == "Deployment":
        needed |= _EVERYWHERE
        needed |= set() if workload.package == "gateway" else {"ROLES"}
    if told.get("SIMULATORS") == "http":
        needed |= set(OVER_HTTP.get(workload.package, ()))
    yield from (f"{name}: is not set" for name in sorted(needed - set(told)))
    for name in ("KAFKA_BOOTSTRAP_SERVERS", *(name for name in needed if name.endswith("_ADDRESS"))):
        if is_loopback(str(told.get(name, "")).rpartition(":")[0] or "elsewhere"):
            yield f"{name}: is an address of the pod alone"


def values(told: list[Variable]) -> dict[str, str]:
    """The environment as a process would see it, with secrets such as deploy/kubernetes/secrets.py makes."""
    known = example_secrets()
    return {variable.name: _seen(variable.value, known) for variable in told}


def _seen(value: str | SecretKey | SecretFile, known: Mapping[str, Mapping[str, str]]) -> str:
    if isinstance(value, SecretKey):
        return known.get(value.secret, {}).get(value.key, "")
    return value if isinstance(value, str) else str(stand_in(value.content.key))


def example_secrets() -> dict[str, dict[str, str]]:
    """Every secret with its keys, as it would be made."""
    names = {variable for secret in secrets.GIVEN.values() for variable in secret.variables.values()}
    told = {name: name.lower() for name in names}
    elsewhere = {name: dict.fromkeys(keys, "-") for name, keys in secrets.MADE_ELSEWHERE.items()}
    return secrets.made() | secrets.given(told, is_production=True) | elsewhere


def refused(cls: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    """What the settings say against an environment, and against that alone."""
    told = type("Told", (cls,), {"settings_customise_sources": classmethod(_only_given)})
    try:
        told(**{name.lower(): text for name, text in environment.items() if text})
    except ValidationError as error:
        return refusals(error)
    return []


def _only_given(_cls: Any, /, _settings: Any, init_settings: Any, **_others: Any) -> tuple[Any, ...]:
    return (init_settings,)


def _references(manifests: Manifests) -> Iterator[SecretKey]:
    """The secrets that others than our containers name."""
    for workload in manifests.workloads:
        if not workload.is_ours:
            yield from (
                variable.value for variable in variables(workload, manifests) if isinstance(variable.value, SecretKey)
            )
    for workload in manifests.workloads:
        yield from (file.content for file in secret_files(workload))
    for authentication in manifests.of("TriggerAuthentication"):
        yield from (SecretKey(told["name"], told["key"]) for told in authentication["spec"]["secretTargetRef"])
    for cluster in manifests.of("Cluster"):
        for role in cluster["spec"]["managed"]["roles"]:
            yield from (SecretKey(role["passwordSecret"]["name"], key) for key in ("username", "password"))
        store = cluster["spec"].get("backup", {}).get("barmanObjectStore", {}).get("s3Credentials", {})
        yield from (SecretKey(reference["name"], reference["key"]) for reference in store.values())
    for ingress in manifests.of("Ingress"):
        for entry in ingress["spec"].get("tls", []):
            yield from (SecretKey(entry["secretName"], key) for key in ("tls.crt", "tls.key"))


def _of_secrets(used: set[SecretKey]) -> Iterator[str]:
    known = {SecretKey(name, key) for name, keys in example_secrets().items() for key in keys}
    for reference in sorted(used - known, key=str):
        yield f"nobody makes the secret {reference.secret} with the key {reference.key}"


def unused_secrets(*all_manifests: Manifests) -> list[str]:
    """Secrets that somebody is asked to make, and that nothing reads."""
    used = set()
    for manifests in all_manifests:
        used |= {reference.secret for reference in _references(manifests)}
        for workload in manifests.ours:
            told = variables(workload, manifests)
            used |= {variable.value.secret for variable in told if isinstance(variable.value, SecretKey)}
    return sorted(set(example_secrets()) - used)
