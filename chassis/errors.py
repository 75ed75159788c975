"""Refusals: the ways in which a rule says no, told alike over gRPC, REST and in logs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

_NO_FIELDS: Mapping[str, Sequence[str]] = {}
_NO_METADATA: Mapping[str, str] = {}


class Refusal(Exception):
    """A rule said no; raised where the rule is broken, turned into a `google.rpc.Status` at the edge.

    `code` is the snake_case reason that clients branch on, `status` the name of the gRPC status.
    `fields` names what is wrong in the request, `details` are protobuf messages for the client,
    `retry_after` is in seconds.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[str] = "FAILED_PRECONDITION"

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, Sequence[str]] = _NO_FIELDS,
        metadata: Mapping[str, str] = _NO_METADATA,
        details: Sequence[object] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        self.metadata = metadata
        self.details = details
        self.retry_after = retry_after


class ValidationFailed(Refusal):
    """The request does not have the shape that was asked for."""

    code = "validation_error"
    status = "INVALID_ARGUMENT"


class NotFound(Refusal):
    """What was asked for does not exist, or not for this caller."""

    code = "not_found"
    status = "NOT_FOUND"


class Unauthenticated(Refusal):
    """Who calls is not known: there is no token, or none that can be believed."""

    code = "unauthenticated"
    status = "UNAUTHENTICATED"


class PermissionDenied(Refusal):
    """Who calls is known, and may not do this."""

    code = "permission_denied"
    status = "PERMISSION_DENIED"


class LockConflict(Refusal):
    """Somebody else is at the same thing; try again."""

    code = "lock_conflict"
    status = "ABORTED"


class TooManyRequests(Refusal):
    """The caller is beyond their own limit; `retry_after` tells when the next request will do."""

    code = "too_many_requests"
    status = "RESOURCE_EXHAUSTED"


class Unavailable(Refusal):
    """Something that is needed is away for now; `retry_after` defaults to a second."""

    code = "unavailable"
    status = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after: float | None = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)


class Overloaded(Unavailable):
    """More is waiting than will be done in time; refused fast."""
