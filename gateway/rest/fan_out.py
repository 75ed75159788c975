"""Methods that every context hosts: asked of all of them at once, or of the one that the request names."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import Message

from gateway.rest.answers import Answer, of_json
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, Metadata, class_of, metadata_of
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.fields import is_timestamp, message_of
from gateway.rest.problems import from_rpc, invalid, status_of, unexplained
from gateway.rest.requests import Request
from gateway.rest.shapes import shape_of, with_page

FAN_OUT_SECONDS = 3.0
"""A context that takes longer counts as silent."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class FanOut:
    """Serves one face; what changes something must name its context."""

    def __init__(self, face: Face, binding: Binding, channels: Channels, writers: Writers, deadline: float) -> None:
        self._face = face
        self._binding = binding
        self._calls = {context: channels.unary(context, face.rpc, face.method) for context in channels.contexts}
        self._message = class_of(face.request)
        self._shape = shape_of(face, writers)
        self._writers = writers
        self._deadline = deadline
        self._time = _time_field(face)

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request; Problem for a refusal, or when all are silent."""
        fields = await self._binding.fields(request)
        service = fields.get("service") or ""
        message, metadata = self._message(**fields), metadata_of(request)
        if service in self._calls:
            return of_json(200, self._shape(await self._one(service, message, metadata)))
        if service or self._face.list_field is None or self._face.verb != "GET":
            raise invalid({"service": [f"must be one of {', '.join(self._calls)}"]})
        return of_json(200, self._merged(await self._all(message, metadata)))

    async def _one(self, context: str, message: Message, metadata: Metadata) -> Any:
        try:
            return await self._calls[context](message, metadata=metadata, timeout=self._deadline)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._writers) from error

    async def _all(self, message: Message, metadata: Metadata) -> list[Any]:
        """A response of each context, None for a silent one."""
        return await asyncio.gather(*(self._or_none(context, message, metadata) for context in self._calls))

    async def _or_none(self, context: str, message: Message, metadata: Metadata) -> Any:
        try:
            return await self._calls[context](message, metadata=metadata, timeout=FAN_OUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() in _SILENT and status_of(error) is None:
                return None
            raise from_rpc(error, self._writers) from error

    def _merged(self, responses: Sequence[Any]) -> dict[str, Any]:
        heard = [self._shape(response)["data"] for response in responses if response is not None]
        if not heard:
            raise unexplained(503)
        data = sorted((item for items in heard for item in items), key=self._newest_first, reverse=True)
        silent = [context for context, response in zip(self._calls, responses, strict=True) if response is None]
        return {"data": data, "meta": {**with_page({}, data), "unreachable": silent}}

    def _newest_first(self, item: dict[str, Any]) -> Any:
        return item[self._time] or _LONG_AGO


def _time_field(face: Face) -> str:
    """By which the items of several contexts are put in order: their first moment that is never absent."""
    if face.list_field is None:
        return ""
    moments = [field for field in message_of(face.list_field).fields if is_timestamp(field)]
    always = [field for field in moments if field.containing_oneof is None]
    return next(iter(always or moments)).name
