"""Faces: what is read from the annotations, and that all of them can be served."""

from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from gateway.rest.decoding import UnsupportedFace
from gateway.rest.descriptors import Descriptors, load_descriptors
from gateway.rest.faces import Face, read_faces


@pytest.fixture(scope="module")
def faces() -> dict[str, Face]:
    return {face.method.name: face for face in read_faces(load_descriptors())}


def test_every_annotated_method_is_there(faces: dict[str, Face]) -> None:
    assert {"CreateOrder", "ListOrders", "GetStock", "PutProduct", "UploadImport", "ListPayments"} <= faces.keys()
    assert "BatchCreateOrders" not in faces


def test_a_face_knows_where_it_is_and_whom_it_asks(faces: dict[str, Face]) -> None:
    face = faces["ReceiveStock"]

    assert (face.verb, face.paths) == ("POST", ("/api/v1/products/{sku}/receipts", "/api/products/{sku}/receipts"))
    assert (face.context, face.rpc) == ("inventory", "/inventory.v1.InventoryService/ReceiveStock")
    assert face.variables == ["sku"]
    assert face.options.creates


def test_a_raw_body_may_be_larger(faces: dict[str, Face]) -> None:
    assert faces["UploadImport"].raw_body is not None
    assert faces["UploadImport"].max_body_bytes == 2_000_000_000
    assert faces["CreateOrder"].max_body_bytes == 1 << 20


def test_comments_of_the_protos_are_known_by_full_name() -> None:
    comments = load_descriptors().comments

    assert comments["orders.v1.Order.customer_id"] == "Whose order it is."
    assert comments["orders.v1.OrderService.GetOrder"] == "One order."
    assert comments["orders.v1.OrderStatus.ORDER_STATUS_FAILED"] == "Failed; holds neither stock nor money."


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/v1/{name=things/*}", "", "path templates"),
        ("/v1/things:undo", "", "path templates"),
        ("/v1/{nothing}", "", "has no field nothing"),
        ("/v1/things", "nothing", "has no field nothing"),
    ],
)
def test_an_annotation_that_cannot_be_served_is_refused_at_start(path: str, body: str, why: str) -> None:
    with pytest.raises(UnsupportedFace, match=why):
        read_faces(described(path, body))


def described(path: str, body: str) -> Descriptors:
    """A service with one method, annotated so."""
    package = f"things{abs(hash((path, body)))}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    file.message_type.add(name="Thing").field.add(
        name="name", number=1, type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    )
    kind = f".{package}.Thing"
    method = file.service.add(name="Things").method.add(name="Do", input_type=kind, output_type=kind)
    rule: Any = annotations_pb2.http
    method.options.Extensions[rule].get = path
    method.options.Extensions[rule].body = body
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return Descriptors([pool.FindServiceByName(f"{package}.Things")], {})
