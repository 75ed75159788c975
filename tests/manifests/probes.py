"""Whether ports, probes and Services name what the code answers to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chassis.health import LIVE
from chassis.settings import GRPC_PORTS, ServiceSettings
from gateway.rest.openapi import SYSTEM_PATHS
from gateway.settings import GatewaySettings
from tests.manifests.environment import SETTINGS, values
from tests.manifests.workloads import Manifests, Workload, variables

CONTEXTS: Final = {
    "order_service": "orders",
    "inventory_service": "inventory",
    "supplier_service": "suppliers",
    "payment_service": "payments",
    "gateway": "gateway",
}
READY: Final = ""
GRPC_NAMES: Final = {"startupProbe": LIVE, "livenessProbe": LIVE, "readinessProbe": READY}
"""Who is killed for not answering must not be asked for what others answer (chassis/health.py)."""
HTTP_PATHS: Final = {
    "startupProbe": "/health/live",
    "livenessProbe": "/health/live",
    "readinessProbe": "/health/ready",
}
_CLUSTER_IP: Final = "None"


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each port, probe or Service that leads nowhere."""
    for workload in manifests.processes:
        expected = expected_ports(workload, manifests)
        if workload.ports != expected:
            yield f"{workload} has the ports {dict(workload.ports)}; the code listens at {dict(expected)}"
        for probe, name in GRPC_NAMES.items():
            yield from (f"{workload}: {probe} {sentence}" for sentence in _of_probe(workload, probe, name))
    for service in manifests.of("Service"):
        yield from _of_service(service, manifests)
    yield from _of_addresses(manifests)
    yield from _of_backends(manifests)


def expected_ports(workload: Workload, manifests: Manifests) -> Mapping[str, int]:
    """Where the process listens, by its own settings."""
    cls, context = SETTINGS[workload.package], CONTEXTS[workload.package]
    told = {name.lower(): text for name, text in values(list(variables(workload, manifests))).items()}
    names = ("grpc_port", "rest_port", "metrics_port", "port_offset")
    ports: dict[str, Any] = {name: int(told.get(name) or 0) for name in names}
    settings: Any = cls.model_construct(**ports, listen_host="")
    assert isinstance(settings, ServiceSettings)
    face = {"rest": settings.port} if isinstance(settings, GatewaySettings) else {
        "grpc": int(settings.grpc_address(context).rpartition(":")[2])
    }  # fmt: skip
    return {**face, "metrics": settings.metrics_port_of(context)}


def _of_probe(workload: Workload, probe: str, name: str) -> Iterator[str]:
    told = workload.container.get(probe)
    if told is None:
        yield "is missing"
    elif workload.package == "gateway":
        asked = told.get("httpGet", {})
        if asked.get("path") not in SYSTEM_PATHS or asked.get("path") != HTTP_PATHS[probe]:
            yield f"asks {asked.get('path')}, not {HTTP_PATHS[probe]}"
        if asked.get("port") != "rest":
            yield "asks another port than rest"
    else:
        asked = told.get("grpc", {})
        if asked.get("service") != name:
            yield f"asks for the health of {asked.get('service')!r}, not of {name!r}"
        if asked.get("port") != workload.ports.get("grpc"):
            yield f"asks port {asked.get('port')}, not that of gRPC"


def _of_service(service: Any, manifests: Manifests) -> Iterator[str]:
    name, selector = service["metadata"]["name"], service["spec"]["selector"]
    behind = [workload for workload in manifests.workloads if selector.items() <= workload.labels.items()]
    if len(behind) != 1:
        yield f"Service/{name} stands for {', '.join(map(str, behind)) or 'nobody'}"
        return
    for port in service["spec"]["ports"]:
        if port["targetPort"] not in behind[0].ports:
            yield f"Service/{name}: {behind[0]} has no port {port['targetPort']}"
        elif port["port"] != behind[0].ports[port["targetPort"]]:
            # What is headless has no port of its own, and one number everywhere is one to remember.
            yield f"Service/{name}: port {port['port']} is not that of {behind[0]}"
    if name in GRPC_PORTS and service["spec"].get("clusterIP") != _CLUSTER_IP:
        yield f"Service/{name} has one address for all pods: who keeps a connection would ask one of them alone"


def _of_addresses(manifests: Manifests) -> Iterator[str]:
    """The addresses that processes are told are those of Services."""
    there = {
        f"{service['metadata']['name']}:{port['port']}"
        for service in manifests.of("Service") for port in service["spec"]["ports"]
    }  # fmt: skip
    for kafka in manifests.of("Kafka"):
        name = kafka["metadata"]["name"]
        there |= {f"{name}-kafka-bootstrap:{listener['port']}" for listener in kafka["spec"]["kafka"]["listeners"]}
    there |= {f"{cluster['metadata']['name']}-rw:5432" for cluster in manifests.of("Cluster")}
    for workload in manifests.ours:
        for name, text in values(list(variables(workload, manifests))).items():
            if name.endswith(("_ADDRESS", "_SERVERS", "DATABASE_URL", "REDIS_URL")):
                address = text.rpartition("@")[2].partition("/")[0]
                if address not in there:
                    yield f"{workload}: {name} leads to {address}, and nothing is there"


def _of_backends(manifests: Manifests) -> Iterator[str]:
    for ingress in manifests.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                target = path["backend"]["service"]
                service = manifests.named("Service", target["name"])
                ports = {port["name"] for port in service["spec"]["ports"]} if service else set()
                if target["port"]["name"] not in ports:
                    yield f"Ingress/{ingress['metadata']['name']} leads to {target}, which is not there"
