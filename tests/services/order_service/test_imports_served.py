"""The gRPC face of imports: files in pieces, streams that break off, lists, downloads."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from google.api import httpbody_pb2

from chassis.database import Database
from chassis.health import Health
from chassis.server import Server
from gateway.client import CallFailed, Client
from order_service.imports import queries
from order_service.imports import servicer as face
from order_service.imports.adapters.csv_file import rows_of_file
from order_service.imports.servicer import ImportServicer
from protos.orders.v1 import imports_pb2 as pb
from protos.orders.v1.imports_pb2_grpc import add_ImportServiceServicer_to_server
from tests.databases import DatabaseUrls
from tests.services.order_service.import_months import Importing, a_file, a_line, a_month
from tests.waiting import until

MAX_BYTES = 1_000_000
SPEC = pb.CreateImportRequest(spec=pb.ImportSpec(source="shop"))
COMPLETE = pb.CreateImportRequest(complete=True)


def chunk(data: bytes) -> pb.CreateImportRequest:
    return pb.CreateImportRequest(chunk=data)


@dataclass
class Served:
    """The servicer on a port of its own, and what stands behind it."""

    client: Client
    importing: Importing
    address: str

    def create(self, *messages: pb.CreateImportRequest) -> pb.Import:
        imports = self.client.imports
        return imports.send(imports.rpc.CreateImport, messages)

    def refusal_of(self, *messages: pb.CreateImportRequest) -> CallFailed:
        with pytest.raises(CallFailed) as failed:
            self.create(*messages)
        return failed.value

    def newest(self) -> pb.Import:
        imports = self.client.imports
        return imports.ask(imports.rpc.ListImports, pb.ListImportsRequest(page_size=1)).imports[0]

    def stored_nothing(self) -> bool:
        self.importing.go_on()
        return self.importing.count("import_rows") == self.importing.count("orders") == 0


@pytest.fixture
def served(database_urls: DatabaseUrls) -> Iterator[Served]:
    database = Database(database_urls.empty("orders"), schema="orders", application_name="tests")
    importing = Importing(database)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def serve() -> Server:
        server = Server("imports_test", "127.0.0.1:0", Health("imports_test", {}, ()), 100)
        servicer = ImportServicer(database, rows_of_file, importing.progress.wake, max_bytes=MAX_BYTES, currency="GBP")
        server.add(add_ImportServiceServicer_to_server, servicer)
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    address = f"127.0.0.1:{server.port}"
    with Client({"orders": address}) as client:
        yield Served(client, importing, address)
    asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    database.close()


def test_a_file_in_pieces_becomes_orders(served: Served) -> None:
    file, facts = a_month(30)
    taken = served.create(SPEC, *(chunk(file[at : at + 777]) for at in range(0, len(file), 777)), COMPLETE)
    assert (taken.status, taken.rows) == (pb.IMPORT_STATUS_CHECKING, facts.document()["rows"])
    served.importing.finish(taken.id)
    done = served.newest()
    assert (done.id, done.status, done.orders) == (taken.id, pb.IMPORT_STATUS_DONE, 30)
    assert dict(done.orders_by_status) == {"COMPLETED": 30}
    assert done.HasField("finished_at")
    assert done.orders_per_second > 0
    assert not done.HasField("seconds_left")


def test_a_file_in_one_request_is_taken_too(served: Served) -> None:
    imports = served.client.imports
    request = pb.UploadImportRequest(file=httpbody_pb2.HttpBody(data=a_file(a_line())), dry_run=True)
    taken = imports.ask(imports.rpc.UploadImport, request)
    assert (taken.source, taken.dry_run, taken.rows) == ("upload", True, 1)


def test_a_stream_that_ends_before_the_file_is_whole_places_nothing(served: Served) -> None:
    refused = served.refusal_of(SPEC, chunk(a_file(a_line())))
    assert (refused.code, refused.status) == ("upload_broke_off", "ABORTED")
    assert served.newest().status == pb.IMPORT_STATUS_REFUSED
    assert served.stored_nothing()


def test_a_sender_that_goes_away_places_nothing(served: Served) -> None:
    gone = threading.Event()

    def messages() -> Iterator[pb.CreateImportRequest]:
        yield SPEC
        yield chunk(a_file(*(a_line(str(place)) for place in range(100))))
        gone.wait(10)

    with Client({"orders": served.address}) as other:
        call = other.imports.rpc.CreateImport.future(messages())
        assert until(lambda: served.importing.count("imports") == 1)
        call.cancel()
        gone.set()
    assert until(lambda: served.newest().status == pb.IMPORT_STATUS_REFUSED)
    assert served.stored_nothing()


def test_a_sender_that_falls_silent_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "CHUNK_SECONDS", 0.2)
    silent = threading.Event()

    def messages() -> Iterable[pb.CreateImportRequest]:
        yield SPEC
        silent.wait(10)
        yield COMPLETE

    imports = served.client.imports
    with pytest.raises(CallFailed) as failed:
        imports.send(imports.rpc.CreateImport, messages())
    silent.set()
    assert failed.value.code == "upload_broke_off"


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([chunk(b"x")], "spec"),
        ([], "spec"),
        ([SPEC, SPEC, COMPLETE], "part"),
        ([SPEC, pb.CreateImportRequest(complete=False)], "part"),
        ([pb.CreateImportRequest(spec=pb.ImportSpec(source=""))], "spec.source"),
        ([pb.CreateImportRequest(spec=pb.ImportSpec(source="  "))], "spec.source"),
        ([pb.CreateImportRequest(spec=pb.ImportSpec(source="a\nb"))], "spec.source"),
    ],
)  # fmt: skip
def test_a_stream_of_another_shape_is_refused_by_field(
    served: Served, messages: list[pb.CreateImportRequest], field: str
) -> None:
    refused = served.refusal_of(*messages)
    assert refused.code == "validation_error"
    assert field in refused.fields


def test_an_unusable_file_and_one_that_is_too_large_have_codes_of_their_own(served: Served) -> None:
    assert served.refusal_of(SPEC, chunk(b"PK\x03\x04\n"), COMPLETE).code == "unusable_file"
    lines = a_line().encode() * 1_000
    too_large = [chunk(a_file()), *([chunk(lines)] * (MAX_BYTES // len(lines) + 1))]
    refused = served.refusal_of(SPEC, *too_large, COMPLETE)
    assert (refused.code, refused.status) == ("payload_too_large", "OUT_OF_RANGE")
    assert served.stored_nothing()


def test_more_files_at_once_than_there_are_threads_are_refused_for_now(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face, "UPLOADS", 0)
    assert served.refusal_of(SPEC, COMPLETE).may_come_back
    monkeypatch.undo()
    assert served.create(SPEC, chunk(a_file(a_line())), COMPLETE).rows == 1


def test_rejects_are_downloaded_piece_by_piece_and_carry_no_formulas(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "REJECTS_A_PIECE", 3)
    lines = [a_line(f"=1+{place}", quantity="0") for place in range(7)]
    taken = served.create(SPEC, chunk(a_file(*lines)), COMPLETE)
    served.importing.finish(taken.id)
    imports = served.client.imports
    pieces = list(imports.read(imports.rpc.DownloadRejects, pb.DownloadRejectsRequest(import_id=taken.id)))
    assert len(pieces) == 4
    assert pieces[0].content_type == "text/csv; charset=utf-8"
    text = b"".join(piece.data for piece in pieces).decode().splitlines()
    assert text[:2] == ["line,invoice,reason", '2,\'=1+0,"Quantity is 0, not at least 1"']
    assert len(text) == 8


def test_demand_comes_page_by_page(served: Served) -> None:
    lines = [a_line(str(place), f"S{place}", price="2.5") for place in range(5)]
    spec = pb.CreateImportRequest(spec=pb.ImportSpec(source="shop", dry_run=True))
    taken = served.create(spec, chunk(a_file(*lines)), COMPLETE)
    served.importing.finish(taken.id)
    imports = served.client.imports
    request = pb.ListImportDemandRequest(import_id=taken.id, page_size=3)
    first = imports.ask(imports.rpc.ListImportDemand, request)
    request.page_token = first.next_page_token
    second = imports.ask(imports.rpc.ListImportDemand, request)
    assert [line.sku for line in (*first.demand, *second.demand)] == [f"S{place}" for place in range(5)]
    assert second.next_page_token == ""
    assert (first.demand[0].unit_price, first.demand[0].currency) == ("2.50", "GBP")


def test_cancel_and_resume_answer_with_what_now_is(served: Served) -> None:
    taken = served.create(SPEC, chunk(a_file(a_line())), COMPLETE)
    imports = served.client.imports
    cancelled = imports.ask(imports.rpc.CancelImport, pb.CancelImportRequest(import_id=taken.id))
    assert cancelled.status == pb.IMPORT_STATUS_CANCELLED
    resumed = imports.ask(imports.rpc.ResumeImport, pb.ResumeImportRequest(import_id=taken.id))
    assert resumed.status == pb.IMPORT_STATUS_CHECKING


def test_the_answer_to_a_taken_file_says_that_the_rest_comes_later(served: Served) -> None:
    messages = iter([SPEC, chunk(a_file(a_line())), COMPLETE])
    _, call = served.client.imports.rpc.CreateImport.with_call(messages)
    assert ("outcome", "accepted") in [(key, value) for key, value in call.trailing_metadata()]


def test_what_does_not_exist_is_not_found(served: Served) -> None:
    imports = served.client.imports
    unknown = "0190b6b2-0000-7000-8000-000000000000"
    with pytest.raises(CallFailed) as failed:
        imports.ask(imports.rpc.GetImport, pb.GetImportRequest(import_id=unknown))
    assert failed.value.code == "not_found"
    with pytest.raises(CallFailed) as failed:
        list(imports.read(imports.rpc.DownloadRejects, pb.DownloadRejectsRequest(import_id=unknown)))
    assert failed.value.code == "not_found"
