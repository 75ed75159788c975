"""What a failed call tells: decoded from `google.rpc.Status`, or from the transport when no service was reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import symbol_database
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

_UNREACHABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})


@dataclass(eq=False)
class CallFailed(Exception):
    """A service refused the call, or could not be asked.

    `code` is the snake_case reason, `status` the name of the gRPC status, `fields` what is wrong in the request.
    """

    code: str
    status: str
    message: str
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    details: Sequence[Message] = ()
    may_come_back: bool = False
    """The service was not there, or had no time: the same call may do better a moment later."""

    def __str__(self) -> str:
        told = "; ".join(f"{path}: {', '.join(sentences)}" for path, sentences in self.fields.items())
        return f"{self.message} ({told})" if told else self.message


def from_rpc(error: grpc.RpcError, target: str) -> CallFailed:
    """The failure that an RPC to `target` (context and address) ended with."""
    call: Any = error
    may_come_back = call.code() in _UNREACHABLE
    status = rpc_status.from_call(call)
    if status is None:
        return CallFailed(
            call.code().name.lower(), call.code().name, _of_transport(call, target), may_come_back=may_come_back
        )
    details = [message for detail in status.details if (message := _unpacked(detail)) is not None]
    reason = next((d.reason for d in details if isinstance(d, error_details_pb2.ErrorInfo)), call.code().name.lower())
    fields: dict[str, list[str]] = {}
    for detail in details:
        if isinstance(detail, error_details_pb2.BadRequest):
            for violation in detail.field_violations:
                fields.setdefault(violation.field, []).append(violation.description)
    return CallFailed(reason, call.code().name, status.message, fields, details, may_come_back)


def _of_transport(call: Any, target: str) -> str:
    match call.code():
        case grpc.StatusCode.UNAVAILABLE:
            return f"{target} cannot be reached; is it running? (make status)"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{target} did not answer in time"
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"{target} does not offer this"
        case code:
            return f"{target}: {code.name.lower().replace('_', ' ')}: {call.details()}"


def _unpacked(detail: Packed) -> Message | None:
    try:
        message: Message = symbol_database.Default().GetSymbol(detail.TypeName()).FromString(detail.value)
        return message
    except (KeyError, DecodeError):
        return None  # a detail that this release does not know
