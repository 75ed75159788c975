"""The OpenAPI document: complete, and true to the protos."""

import importlib
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.rpc import code_pb2
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from chassis.errors import (
    NotFound,
    PermissionDenied,
    Refusal,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from chassis.interceptor import DeadlineExceeded, NotServed
from gateway.rest.descriptors import load_descriptors
from gateway.rest.encoding import dump
from gateway.rest.faces import read_faces
from gateway.rest.fields import option
from gateway.rest.openapi import OpenApi
from protos.options.v1 import options_pb2


@pytest.fixture(scope="module")
def document() -> Any:
    descriptors = load_descriptors()
    return orjson.loads(dump(OpenApi(read_faces(descriptors), descriptors.comments).document()))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"{verb} {path}", operation


def test_it_is_valid_by_the_standard_s_own_schema(document: Any) -> None:
    """The meta schema of OpenAPI 3.1 and the dialect of its schemas, both kept by others."""
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_example_fits_what_it_is_an_example_of(document: Any) -> None:
    registry = Registry().with_resource("urn:document", DRAFT202012.create_resource(document))
    for name, content in contents(document, document["paths"]):
        examples = [*([content["example"]] if "example" in content else [])]
        examples += [example["value"] for example in content.get("examples", {}).values()]
        validator = Draft202012Validator(rooted(content["schema"]), registry=registry)
        for example in examples:
            assert not [error.message for error in validator.iter_errors(example)], name


def test_every_rule_that_says_no_is_told_of(document: Any) -> None:
    """Each refusal of the services is declared by a method; what is on REST says so in its document."""
    declared = {
        (rule.code, code_pb2.Code.Name(rule.status))
        for service in load_descriptors().services
        for method in service.methods
        for rule in option(method, options_pb2.refusals)
    }
    for module in modules_of("order_service", "inventory_service", "payment_service", "supplier_service"):
        importlib.import_module(module)
    raised = {(kind.code, kind.status) for kind in kinds_of_refusal(Refusal)} - GENERAL

    assert raised <= declared, raised - declared
    told = {code for _, response in refusals(document) for code in codes_of(response)}
    assert {"insufficient_stock", "order_not_cancellable", "unusable_file", "stock_reserved"} <= told


def test_a_refusal_s_code_is_one_of_those_that_its_operation_tells(document: Any) -> None:
    responses = document["paths"]["/api/v1/orders"]["post"]["responses"]

    assert codes_of(responses["409"])[0] == "insufficient_stock"
    assert codes_of(responses["422"])[:2] == ["validation_error", "unknown_sku"]
    assert "shortages" in responses["409"]["content"]["application/problem+json"]["schema"]["allOf"][2]["properties"]


def test_only_what_proves_itself_needs_no_token() -> None:
    descriptors = load_descriptors()
    closed = OpenApi(read_faces(descriptors), descriptors.comments, needs_token=True).document()

    open_paths = {name for name, operation in operations(closed) if operation.get("security") == []}
    assert closed["security"] == [{"bearer": []}]
    assert {name for name in open_paths if "webhooks" not in name and "health" not in name} == set()


def test_what_may_be_left_out_may_be_null(document: Any) -> None:
    schema = document["paths"]["/api/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert schema["properties"]["external_ref"]["type"] == ["string", "null"]
    assert schema["properties"]["customer_id"]["type"] == "string"
    assert schema["properties"]["idempotency_key"]["type"] == ["string", "null"], "it may come as a header"


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
        parameters = {given["name"] for given in parameters_of(document, operation) if given["in"] == "path"}
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
    assert {given["name"] for given in parameters_of(document, operation)} == {
        "Idempotency-Key",
        "Prefer",
        "traceparent",
    }
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
    assert {given["name"] for given in parameters_of(document, upload)} == {"source", "dry_run", "traceparent"}
    assert list(rejects["responses"]["200"]["content"]) == ["text/csv"]


GENERAL = {(kind.code, kind.status) for kind in (
    Refusal, Unavailable, ValidationFailed, NotFound, Unauthenticated, PermissionDenied, DeadlineExceeded, NotServed,
    TooManyRequests,
)}  # fmt: skip
"""What any call may be told."""


def kinds_of_refusal(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """All of them that the project has; tests have some of their own."""
    for inner in kind.__subclasses__():
        if not inner.__module__.startswith("tests."):
            yield inner
        yield from kinds_of_refusal(inner)


def modules_of(*packages: str) -> Iterator[str]:
    for package in packages:
        root = Path(find_spec(package).submodule_search_locations[0])  # type: ignore[union-attr,index]
        for file in root.rglob("*.py"):
            if file.stem not in ("__init__", "__main__") and file.parent.name != "migrations":
                yield ".".join((package, *file.relative_to(root).with_suffix("").parts))


def parameters_of(document: Any, operation: Any) -> list[Any]:
    known = document["components"]["parameters"]
    return [
        known[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        for given in operation.get("parameters", [])
    ]


def refusals(document: Any) -> Iterator[tuple[str, Any]]:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("4") and "$ref" not in response:
                yield f"{name} {status}", response


def codes_of(response: Any) -> list[str]:
    codes: list[str] = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"][
        "error_code"
    ]["enum"]
    return codes


def contents(document: Any, place: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(place, dict):
        for kind, content in place.get("content", {}).items():
            yield f"{path} {kind}", content
        for key, inner in place.items():
            yield from contents(document, inner, f"{path}/{key}")


def rooted(place: Any) -> Any:
    """The same with references that name their document."""
    if isinstance(place, dict):
        return {k: f"urn:document{v}" if k == "$ref" else rooted(v) for k, v in place.items()}
    return [rooted(inner) for inner in place] if isinstance(place, list) else place


def references(place: Any) -> Iterator[str]:
    if isinstance(place, dict):
        yield from ([place["$ref"]] if isinstance(place.get("$ref"), str) else [])
        for inner in place.values():
            yield from references(inner)
    elif isinstance(place, list):
        for inner in place:
            yield from references(inner)
