"""Whether a document is what Kubernetes, or the operator that it is for, takes: kinds, fields and types."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate

from tests.manifests.kustomize import Document

OLDEST: Final = "1.30"
"""The first with `preStop.sleep` on; docs/deployment.md names it."""
FIELD_LISTS: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "crds"
"""Those of the operators' kinds, where they stand beside the checkout."""


def complaints(document: Document, field_lists: Path = FIELD_LISTS) -> Iterator[str]:
    """A sentence for each thing that is wrong with it, by the schemas of the oldest and the newest Kubernetes."""
    name = f"{document['kind']}/{document['metadata']['name']}"
    if is_custom(document):
        found = custom_errors(document, field_lists)
    else:
        found = {error for version in (OLDEST, newest()) for error in builtin_errors(document, version)}
    yield from (f"{name}: {error}" for error in sorted(found))


def newest() -> str:
    """The newest Kubernetes whose schemas are bundled."""
    return str(kubernetes_validate.latest_version())


def is_custom(document: Document) -> bool:
    """Whether its kind is an operator's."""
    group = document["apiVersion"].rpartition("/")[0]
    return "." in group and not group.endswith("k8s.io")


def builtin_errors(document: Document, version: str) -> Iterator[str]:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message
    except kubernetes_validate.ValidationError as error:
        yield f"{_path(error)}: {error.message}"


def custom_errors(document: Document, field_lists: Path) -> set[str]:
    """Nothing, where the field lists are not there; `unchecked` tells of it."""
    file = field_list(document, field_lists)
    if not field_lists.is_dir():
        return set()
    if not file.exists():
        return {f"no field list for {document['apiVersion']} {document['kind']}"}
    validator = jsonschema.Draft202012Validator(_closed_schema(file))
    return {f"{_path(error)}: {error.message}" for error in validator.iter_errors(document)}


def field_list(document: Document, folder: Path) -> Path:
    group, _, version = document["apiVersion"].rpartition("/")
    return folder / f"{document['kind']}-{group}-{version}.json"


def unchecked(field_lists: Path = FIELD_LISTS) -> str:
    """Why the operators' kinds are not checked; empty when they are."""
    return "" if field_lists.is_dir() else "the field lists of the operators' kinds are not beside the checkout"


@cache
def _closed_schema(file: Path) -> Any:
    schema = json.loads(file.read_text())
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    return closed(schema)


def closed(schema: Any) -> Any:
    """A field list says which fields there are, and so that there are no others."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    keeps_unknown = made.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if isinstance(made.get("properties"), dict) and made.get("type") == "object" and not keeps_unknown:
        made["additionalProperties"] = False
    return made


def _path(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "document"
