"""Methods whose concurrent calls travel together, through a method that takes entries and streams results."""

from typing import Any

import grpc

from chassis.telemetry.spans import Spans
from gateway.rest.answers import Answer, of_json
from gateway.rest.batches import Batches, Bounds
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, class_of
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.preferences import read_preference
from gateway.rest.problems import Problem, from_rpc, from_status
from gateway.rest.requests import Request
from gateway.rest.shapes import shape_of

DEFAULT_WAIT_MS = 2000
"""What the service waits when it is not told; only the deadline is reckoned from it here."""

_REPLAYED = (b"idempotent-replayed", b"true")


class Coalesced:
    """Serves one face; each entry has its caller's token, trace and patience, and its own result."""

    def __init__(
        self,
        face: Face,
        binding: Binding,
        channels: Channels,
        writers: Writers,
        deadline: float,
        bounds: Bounds,
        spans: Spans | None = None,
    ) -> None:
        carrier = face.method.containing_service.methods_by_name[face.options.coalesced_by]
        rpc = f"/{face.method.containing_service.full_name}/{carrier.name}"
        self._batches = Batches(
            channels.stream(face.context, rpc, carrier), class_of(carrier.input_type), bounds, spans
        )
        self._binding = binding
        self._shape = shape_of(face, writers)
        self._writers = writers
        self._deadline_ms = int(deadline * 1000)
        self._location = face.paths[0] + "/"

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request; Problem for a refusal."""
        fields = await self._binding.fields(request)
        wait_ms = fields.get("wait_ms", DEFAULT_WAIT_MS)
        patience_ms = min(max(wait_ms, 0), 60_000) + self._deadline_ms
        entry = {
            "request": fields,
            "traceparent": request.traceparent,
            "authorization": request.header(b"authorization") or "",
            "deadline_ms": patience_ms,
        }
        try:
            result = await self._batches.result_of(entry, request.body_bytes, patience_ms / 1000, request.voucher)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._writers) from error
        if result.WhichOneof("outcome") == "error":
            raise self._refusal(result)
        return self._accepted(result, request)

    def _refusal(self, result: Any) -> Problem:
        problem = from_status(result.error, self._writers)
        if result.replayed:
            problem.headers = (*problem.headers, _REPLAYED)
        return problem

    def _accepted(self, result: Any, request: Request) -> Answer:
        """201 once stock is held, 200 when that was known before, 202 while it is undecided."""
        resource = getattr(result, result.WhichOneof("outcome"))
        headers = [(b"location", f"{self._location}{resource.id}".encode())]
        if result.replayed:
            headers.append(_REPLAYED)
        if b"prefer" in request.headers and (preference := read_preference(request.header(b"prefer") or "")):
            headers.append((b"preference-applied", preference.applied.encode()))
        status = 202 if not result.held else 200 if result.replayed else 201
        return of_json(status, self._shape(resource), headers)
