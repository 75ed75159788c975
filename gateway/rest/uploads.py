"""Methods that take a file in one request, carried in pieces by a method that takes a stream.

By convention of our protos the stream's message is a `oneof` of what the file is (some of whose fields the
request has too), of its bytes, and of a bool behind the last of them: a stream without it broke off.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.rest.answers import Answer, of_json
from gateway.rest.binding import Binding
from gateway.rest.channels import Channels, class_of, codecs_of, metadata_of
from gateway.rest.decoding import UnsupportedFace
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.forms import FileOfForm
from gateway.rest.problems import Problem, from_rpc
from gateway.rest.requests import Request, unsupported_media_type
from gateway.rest.shapes import shape_of

UPLOAD_SECONDS = 1800.0
CHUNK_BYTES = 256 << 10
NAMELESS = "upload"
"""What a file is called that came without a name."""

RETRY_AFTER = ((b"retry-after", b"1"),)
_WRITTEN_TOO_LATE = "Internal error from Core"
"""What grpc.aio makes of a call's status when a message could not be sent any more."""
_GZIP = b"\x1f\x8b"
_RAW_TYPES = ("text/csv", "application/gzip", "application/x-gzip")


class Upload:
    """Serves one face."""

    def __init__(self, face: Face, binding: Binding, channels: Channels, writers: Writers) -> None:
        carrier = face.method.containing_service.methods_by_name[face.options.coalesced_by]
        rpc = f"/{face.method.containing_service.full_name}/{carrier.name}"
        self._call = channels.of(face.context).stream_unary(rpc, **codecs_of(carrier))
        self._part = class_of(carrier.input_type)
        self._spec, self._chunk, self._complete = _parts_of(carrier.input_type)
        self._face = face
        self._binding = binding
        self._shape = shape_of(face, writers)
        self._writers = writers

    async def __call__(self, request: Request) -> Answer:
        """202: the file is taken, what becomes of it is told later. Problem when it is refused."""
        fields = await self._binding.fields(request)
        chunks, name = await self._file_of(request)
        first = await anext(chunks, b"")
        spec = {"source": _source_of(name), **{key: value for key, value in fields.items() if value != ""}}
        spec["gzip"] = first.startswith(_GZIP) or request.headers.get(b"content-encoding") == b"gzip"
        try:
            imported = await self._carried(spec, first, chunks, request)
        except grpc.aio.AioRpcError as error:
            raise _refusal(error, self._writers) from error
        return of_json(202, self._shape(imported))

    async def _file_of(self, request: Request) -> tuple[AsyncIterator[bytes], str]:
        """The file in chunks, and its name."""
        body = request.pieces(self._face.max_body_bytes)
        if request.media_type in _RAW_TYPES:
            return _chunks(body), ""
        if request.media_type != "multipart/form-data":
            raise unsupported_media_type("text/csv or multipart/form-data")
        form = FileOfForm(request.header(b"content-type") or "", self._face.body)
        pieces = form.pieces(body)
        await anext(pieces, b"")
        return _chunks(pieces), form.name or ""

    async def _carried(self, spec: dict[str, Any], first: bytes, chunks: AsyncIterator[bytes], request: Request) -> Any:
        """Sends no faster than the service takes it; whatever stops the file half-way also stops the call."""
        call = self._call(metadata=metadata_of(request), timeout=UPLOAD_SECONDS)
        try:
            await self._send(call, spec, first, chunks)
            return await call
        finally:
            call.cancel()

    async def _send(self, call: Any, spec: dict[str, Any], first: bytes, chunks: AsyncIterator[bytes]) -> None:
        try:
            await call.write(self._part(**{self._spec: spec}))
            if first:
                await call.write(self._part(**{self._chunk: first}))
            async for chunk in chunks:
                await call.write(self._part(**{self._chunk: chunk}))
            await call.write(self._part(**{self._complete: True}))
            await call.done_writing()
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            # The service has answered before the end. Why is known only to the call itself: the write that
            # failed is told as an internal error.
            return


def _refusal(error: grpc.aio.AioRpcError, writers: Writers) -> Problem:
    """What the service answered; where the write that came too late has overwritten it, whoever asks again is told."""
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _WRITTEN_TOO_LATE:
        return Problem(503, "unavailable", "The upload was ended early; try again.", headers=RETRY_AFTER)
    return from_rpc(error, writers)


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces put together, so that a file of gigabytes is not a million messages."""
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
        if len(gathered) >= CHUNK_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _source_of(name: str) -> str:
    """The file's name without folders and extensions."""
    bare = name.replace("\\", "/").rpartition("/")[2]
    return bare.removesuffix(".gz").removesuffix(".csv") or NAMELESS


def _parts_of(message: Descriptor) -> tuple[str, str, str]:
    """The names of the members of the stream's oneof: the description, the bytes, and that nothing is missing."""
    if len(message.oneofs) != 1:
        raise UnsupportedFace(f"{message.full_name}: an upload is carried by a oneof of a description and bytes")
    named = {field.type: field.name for field in message.oneofs[0].fields}
    return (
        named[FieldDescriptor.TYPE_MESSAGE], named[FieldDescriptor.TYPE_BYTES], named[FieldDescriptor.TYPE_BOOL],
    )  # fmt: skip
