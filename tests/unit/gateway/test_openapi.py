"""The OpenAPI document: complete, and true to the protos."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gateway.rest.descriptors import load_descriptors
from gateway.rest.encoding import dump
from gateway.rest.faces import read_faces
from gateway.rest.openapi import OpenApi


@pytest.fixture(scope="module")
def document() -> Any:
    descriptors = load_descriptors()
    return orjson.loads(dump(OpenApi(read_faces(descriptors), descriptors.comments).document()))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"{verb} {path}", operation


def test_every_face_has_an_operation(document: Any) -> None:
    written = {name for name, _ in operations(document)}

    assert {f"{face.verb.lower()} {face.paths[0]}" for face in read_faces(load_descriptors())} <= written


def test_every_operation_is_named_once_and_explained(document: Any) -> None:
    named = [operation["operationId"] for _, operation in operations(document)]

    assert len(named) == len(set(named))
    assert [name for name, operation in operations(document) if not operation["summary"]] == []


def test_every_operation_documents_its_refusals(document: Any) -> None:
    for name, operation in operations(document):
        assert any(code.startswith("4") or code == "default" for code in operation["responses"]), name


def test_every_variable_of_a_path_is_a_parameter(document: Any) -> None:
    for name, operation in operations(document):
        variables = set(re.findall(r"\{(\w+)\}", name))
        parameters = {given["name"] for given in operation.get("parameters", []) if given["in"] == "path"}
        assert variables == parameters, name


def test_every_reference_leads_somewhere(document: Any) -> None:
    for reference in references(document):
        place: Any = document
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]


def test_every_field_is_explained(document: Any) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, inner in schema.get("properties", {}).items():
            assert name in ("Problem", "Health") or inner["description"], f"{name}.{field}"


def test_an_order_to_be_placed_is_described_with_its_rules(document: Any) -> None:
    operation = document["paths"]["/api/v1/orders"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]

    assert schema["additionalProperties"] is False
    assert schema["required"] == ["customer_id", "items"]
    assert schema["properties"]["items"]["maxItems"] == 500
    assert schema["properties"]["items"]["items"]["properties"]["quantity"] == {
        "type": "integer", "format": "int64", "minimum": 1, "maximum": 1_000_000,
        "description": "Pieces.", "examples": [2],
    }  # fmt: skip
    assert {given["name"] for given in operation["parameters"]} == {"Idempotency-Key", "Prefer"}
    assert {"200", "201", "202", "400", "409", "413", "415", "422", "503"} <= operation["responses"].keys()


def test_an_order_is_described_as_it_is_shown(document: Any) -> None:
    schema = document["components"]["schemas"]["orders.v1.Order"]

    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["completed_at"]["type"] == ["string", "null"]
    assert schema["properties"]["metadata"]["additionalProperties"] == {"type": "string"}


def test_a_tagged_resource_tells_of_304(document: Any) -> None:
    assert "304" in document["paths"]["/api/v1/orders/{order_id}"]["get"]["responses"]
    assert "304" not in document["paths"]["/api/v1/orders"]["get"]["responses"]


def test_a_file_is_described_as_one(document: Any) -> None:
    upload = document["paths"]["/api/v1/imports"]["post"]
    rejects = document["paths"]["/api/v1/imports/{import_id}/rejects"]["get"]

    assert set(upload["requestBody"]["content"]) == {"text/csv", "multipart/form-data"}
    assert {given["name"] for given in upload["parameters"]} == {"source", "dry_run"}
    assert list(rejects["responses"]["200"]["content"]) == ["text/csv"]


def references(place: Any) -> Iterator[str]:
    if isinstance(place, dict):
        yield from ([place["$ref"]] if isinstance(place.get("$ref"), str) else [])
        for inner in place.values():
            yield from references(inner)
    elif isinstance(place, list):
        for inner in place:
            yield from references(inner)
