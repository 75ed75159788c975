"""Problem documents (RFC 9457): what a client is told when the answer is no, whoever said it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import symbol_database
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from gateway.rest.encoding import Writers

CONTENT_TYPE = b"application/problem+json"

_HTTP_STATUS = {
    code_pb2.INVALID_ARGUMENT: 422,
    code_pb2.FAILED_PRECONDITION: 422,
    code_pb2.OUT_OF_RANGE: 422,
    code_pb2.NOT_FOUND: 404,
    code_pb2.UNIMPLEMENTED: 404,
    code_pb2.ABORTED: 409,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.CANCELLED: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}

_STATUS_OF_REASON = {"payload_too_large": 413}
"""What gRPC has no code of its own for."""

_UNEXPLAINED = {
    401: ("unauthenticated", "This call needs a valid token."),
    403: ("permission_denied", "This is not yours to do."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This path does not answer to that method."),
    409: ("conflict", "Somebody else was quicker."),
    422: ("validation_error", "The request was refused."),
    429: ("too_many_requests", "Too many requests."),
    500: ("internal", "Something went wrong on our side."),
    503: ("unavailable", "A service that is needed does not answer; try again."),
    504: ("deadline_exceeded", "No answer came in time; what was asked may still happen."),
}
"""What is said of a status that came without an explanation of its own."""

_USUAL_HEADERS = {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is a refusal; raised anywhere on the way, sent at the edge."""

    status: int
    code: str
    message: str
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Sequence[tuple[bytes, bytes]] = ()

    def document(self, instance: str, trace_id: str) -> dict[str, Any]:
        """The problem document for one request."""
        return {
            "type": f"urn:problem:{self.code.replace('_', '-')}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.message,
            "instance": instance,
            "error_code": self.code,
            "message": self.message,
            "errors": self.errors,
            "trace_id": trace_id,
            **self.members,
        }


def unexplained(status: int, *, headers: Sequence[tuple[bytes, bytes]] = ()) -> Problem:
    """A problem of which nothing is known but its HTTP status."""
    return Problem(status, *_UNEXPLAINED[status], headers=headers or _USUAL_HEADERS.get(status, ()))


def invalid(errors: Mapping[str, Sequence[str]]) -> Problem:
    """The request does not have the shape that was asked for; the error of the whole body is called `body`."""
    named = {path or "body": messages for path, messages in errors.items()}
    first = next(iter(named))
    return Problem(422, "validation_error", f"{first} {named[first][0]}", named)


def overloaded(message: str) -> Problem:
    """More is waiting than will be done in time."""
    return Problem(503, "unavailable", message, headers=_USUAL_HEADERS[503])


def from_rpc(error: grpc.aio.AioRpcError, writers: Writers) -> Problem:
    """What a failed call means; texts that come from the transport stay inside."""
    if (status := status_of(error)) is not None:
        return from_status(status, writers)
    return _bare(error.code().value[0])


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    """The service's own explanation; None when the call failed on its way."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def from_status(status: status_pb2.Status, writers: Writers) -> Problem:
    """The explanation as a problem: ErrorInfo names it, BadRequest its fields; our own details become members."""
    problem = _bare(status.code)
    for detail in status.details:
        _explain(problem, status, detail, writers)
    return problem


def http_status_of(code: int, reason: str) -> int:
    """The HTTP status of a refusal with this gRPC code and this reason."""
    return _STATUS_OF_REASON.get(reason, _HTTP_STATUS.get(code, 500))


def _bare(code: int) -> Problem:
    return unexplained(_HTTP_STATUS.get(code, 500))


def _explain(problem: Problem, status: status_pb2.Status, detail: Packed, writers: Writers) -> None:
    message = _unpacked(detail)
    if isinstance(message, error_details_pb2.ErrorInfo):
        # A service's INTERNAL is named too, but says nothing of the inside.
        if problem.status != 500:
            problem.code, problem.message = message.reason, status.message
            problem.status = http_status_of(status.code, message.reason)
    elif isinstance(message, error_details_pb2.BadRequest):
        errors: dict[str, list[str]] = {}
        for violation in message.field_violations:
            errors.setdefault(violation.field, []).append(violation.description)
        problem.errors = errors
    elif isinstance(message, error_details_pb2.RetryInfo):
        problem.headers = retry_after(message.retry_delay.seconds + message.retry_delay.nanos / 1e9)
    elif message is not None and message.DESCRIPTOR.file.package != "google.rpc":
        problem.members = {**problem.members, **writers.of_message(message)}


def _unpacked(detail: Packed) -> Any:
    """The message inside; None for one that this release does not know."""
    try:
        kind = symbol_database.Default().GetSymbol(detail.TypeName())
        return kind.FromString(detail.value)
    except (KeyError, DecodeError):
        return None


def retry_after(seconds: float) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says when to come again, in whole seconds."""
    return ((b"retry-after", str(max(1, math.ceil(seconds))).encode()),)
