"""Methods that answer with a file: a stream of `google.api.HttpBody`."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc

from gateway.rest.answers import Answer, Headers, Stream
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, class_of, metadata_of
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.problems import from_rpc
from gateway.rest.requests import Request

DOWNLOAD_SECONDS = 600.0

_SUFFIXES = {"text/csv": ".csv", "application/json": ".json"}


class Download:
    """Serves one face."""

    def __init__(self, face: Face, binding: Binding, channels: Channels, writers: Writers) -> None:
        self._binding = binding
        self._call = channels.stream(face.context, face.rpc, face.method)
        self._message = class_of(face.request)
        self._writers = writers
        self._name = face.template.rpartition("/")[2]

    async def __call__(self, request: Request) -> Answer | Stream:
        """The file as it comes; Problem when it is refused before its first byte."""
        message = self._message(**await self._binding.fields(request))
        call = self._call(message, metadata=metadata_of(request), timeout=DOWNLOAD_SECONDS)
        parts = aiter(call)
        try:
            first = await anext(parts, None)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._writers) from error
        if first is None:
            return Answer(204)
        return Stream(200, _pieces(first, parts, call), self._headers(first.content_type))

    def _headers(self, content_type: str) -> Headers:
        suffix = _SUFFIXES.get(content_type.partition(";")[0], "")
        name = self._name.removesuffix(suffix) + suffix
        disposition = f'attachment; filename="{name}"'
        return ((b"content-type", content_type.encode()), (b"content-disposition", disposition.encode()))


async def _pieces(first: Any, parts: AsyncIterator[Any], call: Any) -> AsyncGenerator[bytes]:
    """A stream that breaks breaks the answer too: its reader must not take a part for the whole."""
    try:
        yield first.data
        async for part in parts:
            yield part.data
    finally:
        call.cancel()
