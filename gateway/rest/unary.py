"""Methods that are asked once and answer once."""

from typing import Any

import grpc
from google.protobuf.message import Message

from gateway.rest.answers import Answer, of_json
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, Metadata, class_of, metadata_of
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.fields import is_http_body
from gateway.rest.problems import from_rpc, status_of
from gateway.rest.requests import Request
from gateway.rest.shapes import shape_of, tagged

RECONNECT_SECONDS = 1.5
"""How long a second try waits for a service that has just gone away."""
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""A server that stops cancels the calls that it has read but not begun (grpc/grpc, issue 41785)."""


class Unary:
    """Serves one face."""

    def __init__(self, face: Face, binding: Binding, channels: Channels, writers: Writers, deadline: float) -> None:
        self._face = face
        self._binding = binding
        self._call = channels.unary(face.context, face.rpc, face.method)
        self._message = class_of(face.request)
        self._shape = shape_of(face, writers)
        self._writers = writers
        self._deadline = deadline
        self._may_repeat = face.verb == "GET"

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request; Problem for a refusal."""
        response, trailers = await self._answered(self._message(**await self._fields(request)), request)
        if is_http_body(self._face.response):
            return Answer(200, response.data, response.content_type.encode())
        return self._answer(response, trailers, request)

    async def require(self, request: Request) -> None:
        """Ask with nothing but what the path names; Problem for a refusal."""
        await self._answered(self._message(**{name: request.variables[name] for name in self._face.variables}), request)

    async def _answered(self, message: Message, request: Request) -> tuple[Any, dict[str, str]]:
        try:
            return await self._asked(message, request)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._writers) from error

    async def _fields(self, request: Request) -> dict[str, Any]:
        fields = await self._binding.fields(request)
        if self._face.raw_body:
            data = await request.body(self._face.max_body_bytes)
            fields[self._face.body] = {"content_type": request.header(b"content-type") or "", "data": data}
        return fields

    async def _asked(self, message: Message, request: Request) -> tuple[Any, dict[str, str]]:
        """The response and its trailers; reading is tried again when the service went away on the way."""
        metadata = metadata_of(request)
        try:
            return await _one_call(self._call(message, metadata=metadata, timeout=self._deadline))
        except grpc.aio.AioRpcError as error:
            away = error.code() in _AWAY and status_of(error) is None
            if not (away and self._may_repeat):
                raise
            return await self._asked_again(error, message, metadata)

    async def _asked_again(
        self, first: grpc.aio.AioRpcError, message: Message, metadata: Metadata
    ) -> tuple[Any, dict[str, str]]:
        """Waits a moment for the service to come back; when it does not, it is still away."""
        call = self._call(message, metadata=metadata, timeout=RECONNECT_SECONDS, wait_for_ready=True)
        try:
            return await _one_call(call)
        except grpc.aio.AioRpcError as second:
            raise first if second.code() is grpc.StatusCode.DEADLINE_EXCEEDED else second from None

    def _answer(self, response: Message, trailers: dict[str, str], request: Request) -> Answer:
        document = self._shape(response)
        if self._face.verb == "GET":
            return tagged(document, request)
        if trailers.get("idempotent-replayed") == "true":
            return of_json(self._status(trailers, 200), document, ((b"idempotent-replayed", b"true"),))
        return of_json(self._status(trailers, 201 if self._face.options.creates else 200), document)

    def _status(self, trailers: dict[str, str], usual: int) -> int:
        return 202 if trailers.get("outcome") == "accepted" else usual


async def _one_call(call: Any) -> tuple[Any, dict[str, str]]:
    response = await call
    return response, dict(await call.trailing_metadata() or ())
