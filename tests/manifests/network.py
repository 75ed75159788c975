"""Who may reach whom by the network policies, compared with the arrows of the architecture."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from tests.manifests.workloads import Manifests

SERVICES: Final = {"orders": 50051, "inventory": 50052, "suppliers": 50053, "payments": 50054}
METRICS: Final = {"gateway": 9100, "orders": 9101, "inventory": 9102, "suppliers": 9103, "payments": 9104}
REST, POSTGRES, KAFKA, VALKEY, HTTPS, OTLP, DNS = 8080, 5432, 9093, 6379, 443, 4317, 53


class Arrow(NamedTuple):
    """Somebody reaches a port of somebody."""

    source: str
    target: str
    port: int


@dataclass(frozen=True)
class Place:
    """Pods that are alike, or somebody outside of our namespace; with the ports that one may ask for there."""

    name: str
    labels: Mapping[str, str] | None = None
    namespace: str = ""
    address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.labels is not None


_OF_POSTGRES: Final = {"sql": POSTGRES, "status": 8000, "metrics": 9187}
_OPERATED: Final = (
    Place("postgres", {"cnpg.io/cluster": "order-system-db"}, ports=_OF_POSTGRES),
    Place("restored postgres", {"cnpg.io/cluster": "order-system-db-2"}, ports=_OF_POSTGRES),
    Place("kafka", {"strimzi.io/cluster": "order-system"}, ports={"a": 9090, "b": 9091, "clients": KAFKA}),
)
"""Pods that operators make."""
_OUTSIDE: Final = (
    Place("ingress", namespace="ingress-nginx"),
    Place("prometheus", namespace="monitoring"),
    Place("keda", namespace="keda"),
    Place("postgres operator", namespace="cnpg-system"),
    Place("names", namespace="kube-system", ports={"dns": DNS}),
    Place("somebody else's namespace", namespace="default", ports={"any": 8080}),
    Place("the world", address="203.0.113.1", ports={"https": HTTPS, "api": 6443, "smtp": 25, "kafka": KAFKA}),
)


def places(manifests: Manifests) -> list[Place]:
    """Everybody who could reach somebody."""
    made = [Place(workload.name, workload.labels, ports=workload.ports) for workload in manifests.workloads]
    return [*made, *_OPERATED, *_OUTSIDE, *_collectors(manifests)]


def _collectors(manifests: Manifests) -> list[Place]:
    """Where spans are sent, if anywhere: a Service of another namespace."""
    told = {settings["data"].get("OTLP_ENDPOINT", "") for settings in manifests.of("ConfigMap")}
    return [_collector(urlsplit(endpoint)) for endpoint in sorted(told) if endpoint]


def _collector(endpoint: SplitResult) -> Place:
    namespace = f"{endpoint.hostname}.".split(".")[1]
    return Place("collector", namespace=namespace, ports={"otlp": endpoint.port or OTLP})


def allowed(manifests: Manifests) -> set[Arrow]:
    """Every arrow that the policies let through."""
    policies = [*manifests.of("NetworkPolicy"), *map(_of_strimzi, manifests.of("Kafka"))]
    everybody = places(manifests)
    return {
        Arrow(source.name, target.name, port)
        for source in everybody for target in everybody
        if (source.is_ours or target.is_ours) and (source.name != target.name or not _single(source))
        for port_name, port in target.ports.items()
        if _leaves(policies, source, target, port_name, port)
        and _enters(policies, source, target, port_name, port)
    }  # fmt: skip


def _of_strimzi(kafka: Any) -> Any:
    """The policy that Strimzi adds: each listener is open to the peers that it names, and to everybody without any."""
    rules = [
        {"from": listener.get("networkPolicyPeers", []), "ports": [{"port": listener["port"]}]}
        for listener in kafka["spec"]["kafka"]["listeners"]
    ]
    brokers = {"matchLabels": {"strimzi.io/cluster": kafka["metadata"]["name"]}}
    return {"spec": {"podSelector": brokers, "policyTypes": ["Ingress"], "ingress": rules}}


def _single(place: Place) -> bool:
    """One of ours has no business with its likes; those of an operator have."""
    return place not in _OPERATED


def _leaves(policies: Iterable[Any], source: Place, target: Place, port_name: str, port: int) -> bool:
    return not source.is_ours or _passes(policies, source, target, (port_name, port), "Egress", "to")


def _enters(policies: Iterable[Any], source: Place, target: Place, port_name: str, port: int) -> bool:
    return not target.is_ours or _passes(policies, target, source, (port_name, port), "Ingress", "from")


def _passes(
    policies: Iterable[Any], guarded: Place, other: Place, port: tuple[str, int], direction: str, peers: str
) -> bool:
    """Without a policy that selects it everything passes; with some, what one of them lets through."""
    about = [
        policy["spec"] for policy in policies
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], guarded.labels or {})
    ]  # fmt: skip
    return not about or any(
        _names_port(rule, port) and (not rule.get(peers) or any(_names(peer, other) for peer in rule[peers]))
        for spec in about
        for rule in spec.get(direction.lower(), [])
    )


def _names_port(rule: Any, port: tuple[str, int]) -> bool:
    return not rule.get("ports") or any(entry["port"] in port for entry in rule["ports"])


def _names(peer: Any, place: Place) -> bool:
    if "ipBlock" in peer:
        block = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(place.address) and ipaddress.ip_address(place.address) in block
    if "namespaceSelector" in peer:
        namespace = {"kubernetes.io/metadata.name": place.namespace or "order-system"}
        return (
            not place.address
            and selects(peer["namespaceSelector"], namespace)
            and ("podSelector" not in peer or selects(peer["podSelector"], place.labels or {}))
        )
    return place.is_ours and selects(peer["podSelector"], place.labels or {})


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a selector means who has these labels."""
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        _fits(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _fits(expression: Any, labels: Mapping[str, str]) -> bool:
    if expression["operator"] == "Exists":
        return expression["key"] in labels
    assert expression["operator"] == "In"
    return labels.get(expression["key"]) in expression["values"]


def expected(manifests: Manifests) -> set[Arrow]:
    """The arrows of the architecture (docs/architecture.md), for who is there."""
    everybody = places(manifests)
    known = {place.name for place in everybody}
    arrows = {Arrow(place.name, "names", DNS) for place in everybody if place.is_ours}
    arrows |= {also for arrow in (*_of_processes(manifests), *_between_operated()) for also in _restored(arrow)}
    return {arrow for arrow in arrows if {arrow.source, arrow.target} <= known}


def _restored(arrow: Arrow) -> Iterator[Arrow]:
    """An arrow of Postgres is one of a cluster that was restored, too."""
    names = {"postgres": ("postgres", "restored postgres")}
    for source in names.get(arrow.source, (arrow.source,)):
        for target in names.get(arrow.target, (arrow.target,)):
            yield Arrow(source, target, arrow.port)


def _of_processes(manifests: Manifests) -> set[Arrow]:
    processes = {workload.name: workload for workload in manifests.ours}
    arrows = set()
    for name, workload in processes.items():
        context = name.rpartition("-")[0] or name
        if workload.kind == "Job":
            arrows |= {Arrow(name, "kafka", KAFKA) if name == "topics" else Arrow(name, "postgres", POSTGRES)}
            continue
        arrows |= {
            Arrow("prometheus", name, METRICS[context]),
            Arrow(name, "valkey", VALKEY),
            Arrow(name, "the world", HTTPS),
            *(Arrow(name, place.name, port) for place in _collectors(manifests) for port in place.ports.values()),
        }
        if name != "gateway":
            arrows |= {Arrow(name, "postgres", POSTGRES), Arrow(name, "kafka", KAFKA)}
    arrows |= {Arrow("gateway", f"{context}-api", port) for context, port in SERVICES.items()}
    # Files of orders are read in the role jobs, which asks for products that the copy of prices lacks.
    arrows |= {Arrow(f"orders-{role}", "inventory-api", SERVICES["inventory"]) for role in ("api", "jobs")}
    return arrows | {Arrow("ingress", "gateway", REST)}


def _between_operated() -> Iterator[Arrow]:
    """What operators, Prometheus and KEDA need of the stores."""
    yield from (Arrow("postgres", "postgres", port) for port in (POSTGRES, 8000))
    yield from (Arrow("postgres operator", "postgres", port) for port in (POSTGRES, 8000))
    yield Arrow("prometheus", "postgres", 9187)
    yield from (Arrow(store, "the world", port) for store in ("postgres", "kafka") for port in (HTTPS, 6443))
    yield Arrow("keda", "kafka", KAFKA)


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each arrow that is open and should not be, or should be and is not, also on the way there."""
    there, wanted = allowed(manifests), expected(manifests)
    yield from (f"{arrow.source} may reach {arrow.target}:{arrow.port}" for arrow in sorted(there - wanted))
    yield from (f"{arrow.source} does not reach {arrow.target}:{arrow.port}" for arrow in sorted(wanted - there))
    for step, applied in enumerate(manifests.so_far, start=1):
        for arrow in sorted(expected(applied) - allowed(applied)):
            yield f"after step {step} {arrow.source} does not reach {arrow.target}:{arrow.port}"
