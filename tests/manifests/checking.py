"""All checks of an overlay's manifests, and of what goes with them."""

from collections.abc import Iterator
from pathlib import Path

from deploy.kubernetes.rules import prometheus_rules
from tests.manifests import environment, kafka, monitors, network, probes, running, schemas, stores
from tests.manifests.kustomize import KUBERNETES, Document, build, build_with, documents
from tests.manifests.workloads import Manifests

OVERLAYS = ("small", "production")
TRACES = "traces"
"""The component that no overlay has by itself."""
CHECKS = (environment, probes, stores, kafka, network, monitors, running)


def whole(overlay: str, *components: str) -> Manifests:
    """All that is applied for an overlay, also with further components. Raises DoesNotBuild, NoKustomize."""
    folder = KUBERNETES / "overlays" / overlay
    further = [KUBERNETES / "components" / component for component in components]
    processes = build_with(folder, further) if further else build(folder)
    rules = documents(prometheus_rules()) if overlay == "production" else []
    return Manifests(overlay, (build(folder / "stores"), build(folder / "before"), [*processes, *rules]))


def complaints(manifests: Manifests, field_lists: Path = schemas.FIELD_LISTS) -> Iterator[str]:
    """A sentence for each thing that is wrong."""
    for document in manifests.documents:
        yield from schemas.complaints(document, field_lists)
        yield from _of_namespace(document)
    for check in CHECKS:
        yield from check.complaints(manifests)


def _of_namespace(document: Document) -> Iterator[str]:
    if document["kind"] != "Namespace" and document["metadata"].get("namespace") != "order-system":
        yield f"{document['kind']}/{document['metadata']['name']} is not in the namespace order-system"
