"""What a gRPC status means to a REST client."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import NotFound, Unavailable, ValidationFailed
from chassis.status import status_of, trailers_of
from gateway.rest.encoding import Writers
from gateway.rest.problems import Problem, from_rpc, from_status, invalid
from protos.inventory.v1 import inventory_pb2


def bare(code: grpc.StatusCode) -> Problem:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="10.0.0.7 said no")
    return from_rpc(error, Writers())


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        ("INVALID_ARGUMENT", 422, "validation_error"), ("FAILED_PRECONDITION", 422, "validation_error"),
        ("OUT_OF_RANGE", 422, "validation_error"), ("NOT_FOUND", 404, "not_found"), ("UNIMPLEMENTED", 404, "not_found"),
        ("ABORTED", 409, "conflict"), ("ALREADY_EXISTS", 409, "conflict"), ("UNAUTHENTICATED", 401, "unauthenticated"),
        ("PERMISSION_DENIED", 403, "permission_denied"), ("RESOURCE_EXHAUSTED", 429, "too_many_requests"),
        ("UNAVAILABLE", 503, "unavailable"), ("DEADLINE_EXCEEDED", 504, "deadline_exceeded"),
        ("INTERNAL", 500, "internal"), ("UNKNOWN", 500, "internal"), ("DATA_LOSS", 500, "internal"),
    ],
)  # fmt: skip
def test_a_bare_status_is_told_by_its_code_alone(code: str, status: int, name: str) -> None:
    problem = bare(grpc.StatusCode[code])

    assert (problem.status, problem.code) == (status, name)
    assert "10.0.0.7" not in problem.message


def test_a_refusal_names_itself_and_its_fields() -> None:
    refusal = ValidationFailed("Two things.", fields={"a": ["is wrong", "is late"], "b[0].c": ["is odd"]})

    problem = from_status(status_of(refusal), Writers())

    assert (problem.code, problem.message) == ("validation_error", "Two things.")
    assert problem.errors == {"a": ["is wrong", "is late"], "b[0].c": ["is odd"]}


def test_a_time_to_come_back_is_rounded_up_to_seconds() -> None:
    problem = from_status(status_of(Unavailable("Away.", retry_after=1.2)), Writers())

    assert problem.headers == ((b"retry-after", b"2"),)


def test_typed_details_become_members() -> None:
    holders = inventory_pb2.StockHolders(order_ids=["o-1", "o-2"])

    problem = from_status(status_of(NotFound("Held.", details=[holders])), Writers())

    assert problem.document("/x", "t")["order_ids"] == ["o-1", "o-2"]


def test_a_detail_that_is_unknown_here_is_left_out() -> None:
    status = status_of(NotFound("No."))
    status.details.add(type_url="type.googleapis.com/future.v9.Thing", value=b"\x0a\x01x")
    status.details.add(type_url="type.googleapis.com/orders.v1.Order", value=b"\xff")

    problem = from_status(status, Writers())

    assert (problem.code, problem.members) == ("not_found", {})


def test_an_internal_error_keeps_its_words_to_itself() -> None:
    status = status_pb2.Status(code=13, message="KeyError: 'secret'")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="secret_reason"))

    problem = from_status(status, Writers())

    assert (problem.code, problem.message) == ("internal", "Something went wrong on our side.")


def test_the_details_travel_in_the_trailers() -> None:
    refusal = status_of(NotFound("No such order."))
    trailers = grpc.aio.Metadata(*trailers_of(refusal))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailers)

    assert from_rpc(error, Writers()).message == "No such order."


def test_what_is_wrong_with_the_whole_body_is_called_body() -> None:
    problem = invalid({"": ["must be an object"]})

    assert problem.errors == {"body": ["must be an object"]}
    assert problem.message == "body must be an object"
