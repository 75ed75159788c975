"""Reads deploy/compose.yaml as Compose would, and holds it against the schema, the code and the files it names."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema.validators import validator_for
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from chassis.settings import refusals
from chassis.topics import TopicSettings
from deploy.images.processes import PROCESSES, Process
from deploy.local.environment_file import settings_in
from deploy.local.place import PROJECT
from gateway.settings import GatewaySettings
from inventory_service.settings import InventorySettings
from order_service.settings import OrderSettings
from payment_service.settings import PaymentSettings
from supplier_service.settings import SupplierSettings

DEPLOY = PROJECT / "deploy"
FILE = DEPLOY / "compose.yaml"
EXAMPLE = DEPLOY / "compose" / "env.example"
SETTINGS: Mapping[str, type[BaseSettings]] = {
    "order_service": OrderSettings,
    "inventory_service": InventorySettings,
    "payment_service": PaymentSettings,
    "supplier_service": SupplierSettings,
    "gateway": GatewaySettings,
    "chassis.topics": TopicSettings,
}
BY_MODULE: Mapping[str, Process] = {process.module: process for process in PROCESSES}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
ADDRESS = re.compile(r"^(?:\w+://)?(?:[^@/]*@)?([a-z][\w-]*):(\d+)(?:/.*)?$")
SERVERS = {("postgres", 5432), ("kafka", 9092), ("valkey", 6379), ("otel-collector", 4317)}
"""What listens there that is not ours."""


def example_values() -> Mapping[str, str]:
    """What the example file says, with something for each value that is to be made."""
    return {name: value or "0123456789abcdef" for name, value in settings_in(EXAMPLE).items()}


def complaints(text: str, values: Mapping[str, str]) -> list[str]:
    """A sentence for everything that would not work."""
    found = list(unset_variables(text, values))
    document = yaml.safe_load(interpolated(text, values))
    rules = schema()
    found += [f"{error.json_path}: {error.message}" for error in validator_for(rules)(rules).iter_errors(document)]
    if found:
        return found
    services = document["services"]
    for name, service in services.items():
        found += [f"{name}: {told}" for told in service_complaints(name, service, services)]
    return [*found, *missing_volumes(document), *scrape_complaints(services)]


def schema() -> Any:
    """That of the Compose specification, as the package brings it."""
    return json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables put in, as Compose does it."""

    def put_in(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return values.get(name) or (default if kind == "-" else "")

    return VARIABLE.sub(put_in, text).replace("$$", "$")


def unset_variables(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Secrets have no defaults, and what must be told stands in the example."""
    for name, kind, default in VARIABLE.findall(text):
        if re.search(r"PASSWORD|SECRET", name) and kind == "-" and default:
            yield f"{name} is a secret with a default"
        if kind != "-" and name not in values:
            yield f"{name} is not in env.example"


def service_complaints(name: str, service: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[str]:
    yield from dependency_complaints(service, services)
    yield from mount_complaints(service)
    if str(service["image"]).startswith("order-system:"):
        yield from command_complaints(service)
        yield from confinement_complaints(service)
        yield from address_complaints(service, services)
    elif service["image"].partition(":")[2] in ("", "latest"):
        yield f"its image {service['image']} has no version"


def dependency_complaints(service: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[str]:
    for name, told in service.get("depends_on", {}).items():
        other = services.get(name)
        if other is None:
            yield f"waits for {name}, which is not there"
        elif told["condition"] == "service_healthy" and "test" not in other.get("healthcheck", {}):
            yield f"waits for {name} to be healthy, which nobody asks"
        elif told["condition"] == "service_completed_successfully" and other["restart"] != "on-failure":
            yield f"waits for the end of {name}, which has none"


def mount_complaints(service: Mapping[str, Any]) -> Iterator[str]:
    for mount in service.get("volumes", []):
        source = mount.partition(":")[0]
        if source.startswith(".") and not (DEPLOY / source).exists():
            yield f"mounts {source}, which is not there"


def command_complaints(service: Mapping[str, Any]) -> Iterator[str]:
    module, *arguments = service["command"]
    if module not in SETTINGS:
        yield f"there is no command {module}"
        return
    environment = {key: str(value) for key, value in service["environment"].items()}
    yield from setting_complaints(SETTINGS[module], environment)
    if arguments not in ([], ["--migrate"]):
        yield f"{module} takes no {' '.join(arguments)}"
    if not arguments and module in BY_MODULE:
        if service["healthcheck"]["test"] != ["CMD", "python", "-m", "deploy.images.probe", module]:
            yield f"its health is not that of {module}"
        if "DATABASE_URL" in environment:
            yield "is given the owner's URL"


def setting_complaints(settings: type[BaseSettings], environment: Mapping[str, str]) -> Iterator[str]:
    """Names that exist, and values that the service itself takes."""
    for name in environment:
        if name.lower() not in settings.model_fields:
            yield f"there is no setting {name}"
    told: dict[str, Any] = {name.lower(): value for name, value in environment.items() if value}
    try:
        settings(**told)
    except ValidationError as error:
        yield from refusals(error)


def confinement_complaints(service: Mapping[str, Any]) -> Iterator[str]:
    wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    yield from (f"{key} is not {value}" for key, value in wanted.items() if service.get(key) != value)


def address_complaints(service: Mapping[str, Any], services: Mapping[str, Any]) -> Iterator[str]:
    """Who is named is there, and listens at that port."""
    known = {*SERVERS, *listening(services)}
    for name, value in service["environment"].items():
        match = ADDRESS.match(str(value))
        if match and not name.startswith("OIDC_") and (match[1], int(match[2])) not in known:
            yield f"{name}: nothing listens at {match[1]}:{match[2]}"
    for port in service.get("ports", []):
        target = int(port.rpartition(":")[2])
        if target != BY_MODULE[service["command"][0]].port:
            yield f"publishes {target}, where it does not listen"


def listening(services: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, service in services.items():
        process = BY_MODULE.get((service.get("command") or [""])[0])
        if process and len(service["command"]) == 1:
            yield from ((name, process.port), (name, process.metrics_port))


def missing_volumes(document: Mapping[str, Any]) -> Iterator[str]:
    named = {
        mount.partition(":")[0] for service in document["services"].values() for mount in service.get("volumes", [])
    }
    missing = {name for name in named if not name.startswith(".")} - document["volumes"].keys()
    yield from (f"there is no volume {name}" for name in sorted(missing))


def scrape_complaints(services: Mapping[str, Any], file: Path = DEPLOY / "monitoring" / "prometheus.yml") -> list[str]:
    """Prometheus asks every process of ours, where it is."""
    jobs = yaml.safe_load(file.read_text())["scrape_configs"]
    scraped = {target for job in jobs for config in job["static_configs"] for target in config["targets"]}
    there = {f"{name}:{port}" for name, port in listening(services) if port in range(9100, 9105)}
    return [f"Prometheus does not ask {target}" for target in sorted(there - scraped)]
