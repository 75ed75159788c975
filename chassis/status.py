"""A refusal as `google.rpc.Status`, the one form in which every face tells errors."""

from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from chassis.errors import Refusal

_DETAILS_KEY: Final = "grpc-status-details-bin"
_DETAILS_BYTES: Final = 5_000
"""What fits, in base64 and beside other trailers, into the 8 KiB of metadata that gRPC peers accept by default."""
_MESSAGE_LENGTH: Final = 1_000


def status_of(error: Exception, domain: str = "") -> status_pb2.Status:
    """The refusal with its reason, fields, retry time and typed details; any other error says nothing of the inside.

    `domain` is the context that refuses.
    """
    if not isinstance(error, Refusal):
        return status_pb2.Status(code=code_pb2.INTERNAL, message="internal error")
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=error.message)
    reason = error_details_pb2.ErrorInfo(reason=error.code, domain=domain, metadata=dict(error.metadata))
    for detail in (reason, _bad_request(error), _retry_info(error), *error.details):
        if isinstance(detail, Message):
            status.details.add().Pack(detail)
    return status


def code_of(status: status_pb2.Status) -> grpc.StatusCode:
    """The gRPC code of a status."""
    return _CODES[status.code]


def trailers_of(status: status_pb2.Status) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that carries a status with its details, as far as they fit."""
    return ((_DETAILS_KEY, fitting(status).SerializeToString()),)


def fitting(status: status_pb2.Status) -> status_pb2.Status:
    """The status without the details that would not fit into trailing metadata; the reason always stays."""
    if status.ByteSize() <= _DETAILS_BYTES:
        return status
    short = status_pb2.Status(code=status.code, message=status.message[:_MESSAGE_LENGTH])
    for detail in status.details:
        if short.ByteSize() + detail.ByteSize() <= _DETAILS_BYTES:
            short.details.append(detail)
    return short


def _bad_request(error: Refusal) -> error_details_pb2.BadRequest | None:
    if not error.fields:
        return None
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=field, description=sentence)
        for field, sentences in error.fields.items()
        for sentence in sentences
    ]
    return error_details_pb2.BadRequest(field_violations=violations)


def _retry_info(error: Refusal) -> error_details_pb2.RetryInfo | None:
    if error.retry_after is None:
        return None
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(round(error.retry_after * 1000))
    return info


_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
