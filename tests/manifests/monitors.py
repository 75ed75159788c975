"""Whether Prometheus is told to ask whom it may reach, and may reach whom it is told to ask."""

from collections.abc import Iterator
from typing import Any

from tests.manifests.network import Place, allowed, places, selects
from tests.manifests.workloads import Manifests


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each port of metrics that is open and not asked, or asked and not open; none without monitors."""
    if not manifests.of("ServiceMonitor", "PodMonitor"):
        return
    there = {(arrow.target, arrow.port) for arrow in allowed(manifests) if arrow.source == "prometheus"}
    told = set(_asked(manifests))
    yield from (f"nothing has Prometheus ask {name}:{port}" for name, port in sorted(there - told))
    yield from (f"Prometheus is to ask {name}:{port}, and may not" for name, port in sorted(told - there))


def _asked(manifests: Manifests) -> Iterator[tuple[str, int]]:
    for place in (found for found in places(manifests) if found.is_ours):
        names = {*_of_pods(manifests, place), *_of_services(manifests, place)}
        yield from ((place.name, port) for name, port in place.ports.items() if name in names)


def _of_pods(manifests: Manifests, place: Place) -> Iterator[str]:
    for monitor in manifests.of("PodMonitor"):
        if selects(monitor["spec"]["selector"], place.labels or {}):
            yield from (endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"])


def _of_services(manifests: Manifests, place: Place) -> Iterator[str]:
    for monitor in manifests.of("ServiceMonitor"):
        for service in manifests.of("Service"):
            if selects(monitor["spec"]["selector"], service["metadata"].get("labels", {})) and selects(
                {"matchLabels": service["spec"]["selector"]}, place.labels or {}
            ):
                yield from _ports_of_pods(monitor, service)


def _ports_of_pods(monitor: Any, service: Any) -> Iterator[str]:
    leads = {port["name"]: str(port["targetPort"]) for port in service["spec"]["ports"]}
    yield from (leads[found["port"]] for found in monitor["spec"]["endpoints"] if found["port"] in leads)
