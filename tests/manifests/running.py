"""Whether pods run as they should: without rights, with time to stop, free to be moved, and as many as it takes."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from chassis.app import _STOP_SECONDS
from chassis.settings import ServiceSettings
from tests.architecture.sources import PROJECT
from tests.manifests.environment import values
from tests.manifests.workloads import Manifests, Workload, variables

GROUPS_OF_PARTS: Final = 5
"""Writers, consumers and jobs, calls, relay, database: what App.stop ends one after the other, after the drain."""


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each thing that is not as it should be."""
    for workload in manifests.workloads:
        yield from (f"{workload} {sentence}" for sentence in _of_security(workload))
        yield from (f"{workload} {sentence}" for sentence in _of_resources(workload))
    for workload in manifests.processes:
        yield from (f"{workload} {sentence}" for sentence in _of_stopping(workload, manifests))
        yield from (f"{workload} {sentence}" for sentence in _of_moving(workload, manifests))
    yield from _of_scaling(manifests)
    yield from _of_images(manifests)


def _of_security(workload: Workload) -> Iterator[str]:
    pod, container = workload.pod.get("securityContext", {}), workload.container.get("securityContext", {})
    if not pod.get("runAsNonRoot") or not pod.get("runAsUser"):
        yield "may run as root"
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "may make any system call"
    if container.get("allowPrivilegeEscalation") is not False:
        yield "may gain rights"
    if not container.get("readOnlyRootFilesystem"):
        yield "may write to its root file system"
    if container.get("capabilities", {}).get("drop") != ["ALL"] or container["capabilities"].get("add"):
        yield "keeps capabilities"
    if workload.pod.get("automountServiceAccountToken") is not False:
        yield "is shown a token of the Kubernetes API"
    words = " ".join(map(str, [*workload.container.get("command", []), *workload.container.get("args", [])]))
    for entry in workload.container.get("env", []):
        if "secretKeyRef" in entry.get("valueFrom", {}) and f"$({entry['name']})" in words:
            yield f"shows {entry['name']} to everybody who lists processes"
    yield from (f"mounts {volume}" for volume in workload.pod.get("volumes", []) if not _is_its_own(volume))


def _is_its_own(volume: Any) -> bool:
    """An empty folder, or secrets."""
    return "emptyDir" in volume or all(
        "secret" in source for source in volume.get("projected", {}).get("sources", [{}])
    )


def _of_resources(workload: Workload) -> Iterator[str]:
    told = workload.container.get("resources", {})
    if {"cpu", "memory"} - set(told.get("requests", {})):
        yield "does not say what it needs of CPU and memory"
    if "memory" not in told.get("limits", {}):
        yield "may take all memory of its node"


def _of_stopping(workload: Workload, manifests: Manifests) -> Iterator[str]:
    told = values(list(variables(workload, manifests)))
    drain = float(told.get("DRAIN_SECONDS") or ServiceSettings.model_fields["drain_seconds"].default)
    wait = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = workload.pod.get("terminationGracePeriodSeconds", 30)
    if wait <= 0:
        yield "stops before everybody has heard of it"
    if grace <= (needed := wait + drain + GROUPS_OF_PARTS * _STOP_SECONDS):
        yield f"is killed after {grace} s, and may need {needed:g} s to stop"


def _of_moving(workload: Workload, manifests: Manifests) -> Iterator[str]:
    budgets = [
        budget for budget in manifests.of("PodDisruptionBudget")
        if budget["spec"]["selector"]["matchLabels"].items() <= workload.labels.items()
    ]  # fmt: skip
    if len(budgets) != 1:
        yield f"has {len(budgets)} disruption budgets"
    elif budgets[0]["spec"].get("maxUnavailable") != 1:
        yield "may be gone from all nodes at once, or never"
    spread = {rule["topologyKey"]: rule for rule in workload.pod.get("topologySpreadConstraints", [])}
    if set(spread) != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
        yield "is not spread over nodes and zones"
    selector = workload.document["spec"]["selector"]["matchLabels"]
    if any(not selector.items() <= rule["labelSelector"]["matchLabels"].items() for rule in spread.values()):
        yield "is spread together with others"


def _of_scaling(manifests: Manifests) -> Iterator[str]:
    scaled = [(scaler, scaler["spec"]["scaleTargetRef"]["name"]) for scaler in manifests.of(*_SCALERS)]
    for scaler, target in scaled:
        deployment = manifests.named("Deployment", target)
        if deployment is None:
            yield f"{scaler['kind']}/{scaler['metadata']['name']} scales {target}, which is not there"
        elif "replicas" in deployment["spec"]:
            yield f"Deployment/{target} has a number of its own, which each roll-out would go back to"
    targets = [target for _, target in scaled]
    yield from (f"{target} is scaled twice" for target in sorted({name for name in targets if targets.count(name) > 1}))
    if manifests.name == "production":
        counts = {target: _least(scaler) for scaler, target in scaled}
        for workload in manifests.processes:
            if counts.get(workload.name, workload.document["spec"].get("replicas", 1)) < 2:
                yield f"{workload} is gone when its one pod goes"


_SCALERS: Final = ("HorizontalPodAutoscaler", "ScaledObject")


def _least(scaler: Any) -> int:
    spec = scaler["spec"]
    return int(spec.get("minReplicas") or spec.get("minReplicaCount") or 0)


def requested(manifests: Manifests) -> tuple[float, int]:
    """Cores and MiB that Deployments ask for, with as few pods as there may be."""
    scalers = manifests.of(*_SCALERS)
    counts = {scaler["spec"]["scaleTargetRef"]["name"]: _least(scaler) for scaler in scalers}
    cores, mebibytes = 0.0, 0
    for workload in (found for found in manifests.workloads if found.kind == "Deployment"):
        pods = counts.get(workload.name, workload.document["spec"].get("replicas", 1))
        asked = workload.container["resources"]["requests"]
        cores += pods * float(str(asked["cpu"]).removesuffix("m")) / (1_000 if str(asked["cpu"]).endswith("m") else 1)
        mebibytes += pods * int(asked["memory"].removesuffix("Mi"))
    return cores, mebibytes


def _of_images(manifests: Manifests) -> Iterator[str]:
    images = {workload.container["image"] for workload in manifests.ours}
    if len(images) != 1:
        yield f"several releases run side by side: {sorted(images)}"
    for workload in manifests.workloads:
        tag = workload.container["image"].rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            yield f"{workload} runs whatever is there under {workload.container['image']}"
    yield from _of_compose(manifests)


def _of_compose(manifests: Manifests) -> Iterator[str]:
    """One version of a store, wherever it is started."""
    services = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text())["services"]
    told = {workload.name: workload.container["image"] for workload in manifests.workloads if not workload.is_ours}
    brokers = [("kafka", f"apache/kafka:{kafka['spec']['kafka']['version']}") for kafka in manifests.of("Kafka")]
    for name, image in [*told.items(), *brokers]:
        if services[name]["image"] != image:
            yield f"{name} is {image}, and {services[name]['image']} with Compose"
