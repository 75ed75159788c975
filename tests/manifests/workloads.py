"""What runs in the cluster, as the checks look at it: pods with their containers, environment and labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.manifests.kustomize import Document

OUR_IMAGE: Final = "order-system"


@dataclass(frozen=True)
class Workload:
    """A Deployment or Job whose pods run one container."""

    kind: str
    name: str
    document: Document

    @property
    def pod(self) -> Any:
        return self.document["spec"]["template"]["spec"]

    @property
    def labels(self) -> Mapping[str, str]:
        """Those of its pods."""
        return dict(self.document["spec"]["template"]["metadata"].get("labels", {}))

    @property
    def container(self) -> Any:
        return self.pod["containers"][0]

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return str(self.container["image"]).rpartition(":")[0].endswith(OUR_IMAGE)

    @property
    def package(self) -> str:
        """What our image is told to run."""
        return str(self.container["args"][0])

    @property
    def ports(self) -> Mapping[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Manifests:
    """All that is applied for one overlay, in its order: its stores, what goes before, and itself."""

    name: str
    steps: Sequence[Sequence[Document]]

    @property
    def documents(self) -> Sequence[Document]:
        return [document for step in self.steps for document in step]

    @property
    def so_far(self) -> Iterator["Manifests"]:
        """What is there after each step; the last is everything."""
        return (Manifests(self.name, self.steps[:count]) for count in range(1, len(self.steps) + 1))

    def of(self, *kinds: str) -> list[Document]:
        """The documents of these kinds."""
        return [document for document in self.documents if document["kind"] in kinds]

    def named(self, kind: str, name: str) -> Document | None:
        """One document, if it is there."""
        return next((found for found in self.of(kind) if found["metadata"]["name"] == name), None)

    @property
    def workloads(self) -> list[Workload]:
        found = self.of("Deployment", "Job")
        return [Workload(document["kind"], document["metadata"]["name"], document) for document in found]

    @property
    def ours(self) -> list[Workload]:
        """Those that run our image."""
        return [workload for workload in self.workloads if workload.is_ours]

    @property
    def processes(self) -> list[Workload]:
        """Those of ours that run on and on."""
        return [workload for workload in self.ours if workload.kind == "Deployment"]


@dataclass(frozen=True)
class SecretKey:
    """One value of a secret, as a reference names it."""

    secret: str
    key: str


@dataclass(frozen=True)
class SecretFile:
    """A file of a container that holds one value of a secret."""

    path: str
    content: SecretKey


@dataclass(frozen=True)
class Variable:
    """A variable of a container: its text, the secret that it comes from, or the file of a secret that it names."""

    name: str
    value: str | SecretKey | SecretFile
    is_own: bool
    """Whether the container names it itself, and not the settings that all have."""


def variables(workload: Workload, manifests: Manifests) -> Iterator[Variable]:
    """The environment of a workload's container. Raises KeyError for a reference to a map that is not there."""
    for source in workload.container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        settings = manifests.named("ConfigMap", name)
        if settings is None:
            raise KeyError(f"{workload} wants the ConfigMap {name}, which is not there")
        yield from (Variable(key, text, is_own=False) for key, text in settings["data"].items())
    for entry in workload.container.get("env", []):
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        value = SecretKey(reference["name"], reference["key"]) if reference else _text(entry["value"], workload)
        yield Variable(entry["name"], value, is_own=True)


def _text(text: object, workload: Workload) -> str | SecretFile:
    path = str(text)
    return next((file for file in secret_files(workload) if file.path == path), path)


def secret_files(workload: Workload) -> Iterator[SecretFile]:
    """What a workload's container finds of secrets in its file system."""
    folders = {mount["name"]: mount["mountPath"] for mount in workload.container.get("volumeMounts", [])}
    for volume in workload.pod.get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"] if volume["name"] in folders else []:
                path = f"{folders[volume['name']]}/{item['path']}"
                yield SecretFile(path, SecretKey(source["secret"]["name"], item["key"]))
