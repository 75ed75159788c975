"""The gRPC face of imports."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final

from google.api import httpbody_pb2

from chassis import clock
from chassis.access.caller import current
from chassis.database import Database
from chassis.errors import Overloaded, ValidationFailed
from chassis.interceptor import Context
from chassis.logs import get_logger
from chassis.server import mark_accepted
from order_service.imports import commands, queries, wire
from order_service.imports.domain import ImportSpec, UploadBrokeOff
from order_service.imports.ports import FileReader
from protos.orders.v1 import imports_pb2 as pb
from protos.orders.v1 import imports_pb2_grpc as grpc_pb

log = get_logger(__name__)

UPLOADS: Final = 4
"""Files taken at once; each has a thread."""
CHUNK_SECONDS: Final = 60.0
"""How long the next bytes of a file may take."""
PAGE_SIZE: Final = 15
DEMAND_PAGE_SIZE: Final = 1_000
UPLOAD_SOURCE: Final = "upload"
"""The source of a file that comes without a name."""


class ImportServicer(grpc_pb.ImportServiceServicer):
    """Takes files in threads of its own; everything else is a short question or command."""

    def __init__(
        self, database: Database, read: FileReader, wake: Callable[[], None], *, max_bytes: int, currency: str
    ) -> None:
        self._database = database
        self._read = read
        self._wake = wake
        self._max_bytes = max_bytes
        self._currency = currency
        self._uploads = 0
        self._threads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="imports")

    async def CreateImport(self, requests: AsyncIterator[pb.CreateImportRequest], context: Context) -> pb.Import:
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "spec":
            raise ValidationFailed("the request is not valid", fields={"spec": ["must be in the first message"]})
        return await self._take(wire.spec_from_proto(first.spec), _Chunks(requests), context)

    async def UploadImport(self, request: pb.UploadImportRequest, context: Context) -> pb.Import:
        spec = wire.spec_from_proto(pb.ImportSpec(source=request.source or UPLOAD_SOURCE, dry_run=request.dry_run))
        return await self._take(spec, iter([request.file.data]), context)

    async def GetImport(self, request: pb.GetImportRequest, context: Context) -> pb.Import:
        return await self._shown(request.import_id)

    async def ListImports(self, request: pb.ListImportsRequest, context: Context) -> pb.ListImportsResponse:
        size = request.page_size or PAGE_SIZE
        views, token = await self._database.aread(lambda c: queries.list_imports(c, size, request.page_token))
        now = clock.now()
        imports = [wire.import_to_proto(view, now) for view in views]
        return pb.ListImportsResponse(imports=imports, page_size=size, next_page_token=token)

    async def DownloadRejects(
        self, request: pb.DownloadRejectsRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        import_id, after = request.import_id, 0
        await self._database.aread(lambda c: queries.get_import(c, import_id))
        yield wire.csv_piece([wire.REJECTS_HEAD])
        while rows := await self._database.aread(partial(queries.rejects, import_id=import_id, after=after)):
            yield wire.csv_piece(rows)
            after = rows[-1].line

    async def ListImportDemand(
        self, request: pb.ListImportDemandRequest, context: Context
    ) -> pb.ListImportDemandResponse:
        size = request.page_size or DEMAND_PAGE_SIZE
        lines, token, currency = await self._database.aread(
            lambda c: queries.demand(c, request.import_id, size, request.page_token)
        )
        demand = [wire.demand_to_proto(line, currency) for line in lines]
        return pb.ListImportDemandResponse(demand=demand, page_size=size, next_page_token=token)

    async def ResumeImport(self, request: pb.ResumeImportRequest, context: Context) -> pb.Import:
        actor = current.get().actor
        await self._database.awrite(lambda c: commands.resume_import(c, request.import_id, actor))
        self._wake()
        return await self._shown(request.import_id)

    async def CancelImport(self, request: pb.CancelImportRequest, context: Context) -> pb.Import:
        actor = current.get().actor
        await self._database.awrite(lambda c: commands.cancel_import(c, request.import_id, actor))
        return await self._shown(request.import_id)

    async def _shown(self, import_id: str) -> pb.Import:
        view = await self._database.aread(lambda c: queries.get_import(c, import_id))
        return wire.import_to_proto(view, clock.now())

    async def _take(self, spec: ImportSpec, chunks: Iterator[bytes], context: Context) -> pb.Import:
        """Stage the file in a thread; a caller who goes away leaves it to find out by itself."""
        if not spec.source:
            raise ValidationFailed("the request is not valid", fields={"spec.source": ["must not be empty"]})
        if self._uploads >= UPLOADS:
            raise Overloaded("too many files are being taken; try again shortly")
        self._uploads += 1
        take = partial(commands.take_file, max_bytes=self._max_bytes, currency=self._currency)
        work = partial(take, self._database, self._read, spec, chunks)
        taking = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        taking.add_done_callback(self._taken)
        import_id = await taking
        log.info("file taken", import_id=import_id, source=spec.source, dry_run=spec.dry_run)
        mark_accepted(context)
        self._wake()
        return await self._shown(import_id)

    def _taken(self, _: asyncio.Future[str]) -> None:
        self._uploads -= 1


class _Chunks:
    """The bytes of an upload for the thread that stages them, while the event loop receives."""

    def __init__(self, requests: AsyncIterator[pb.CreateImportRequest]) -> None:
        self._requests = requests
        self._loop = asyncio.get_running_loop()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = asyncio.run_coroutine_threadsafe(self._receive(), self._loop).result()
        if chunk is None:
            raise StopIteration
        return chunk

    async def _receive(self) -> bytes | None:
        """The next bytes; None behind the last. A stream that ends without saying that it is whole broke off."""
        try:
            message = await asyncio.wait_for(anext(self._requests, None), CHUNK_SECONDS)
        except TimeoutError:
            message = None
        if message is None:
            raise UploadBrokeOff("The upload broke off before the file was whole; nothing was placed.")
        match message.WhichOneof("part"):
            case "chunk":
                return message.chunk
            case "complete" if message.complete:
                return None
        raise ValidationFailed("the request is not valid", fields={"part": ["must be a chunk, or complete = true"]})
