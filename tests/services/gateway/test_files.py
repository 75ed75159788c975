"""Files that come in and go out in pieces."""

import gzip
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2

from chassis.errors import NotFound, Refusal
from protos.orders.v1 import imports_pb2
from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import refuse
from tests.waiting import until

CREATE = "/orders.v1.ImportService/CreateImport"
REJECTS = "/orders.v1.ImportService/DownloadRejects"
CSV = b"InvoiceNo,StockCode\n536365,85123A\n"


class NotCsv(Refusal):
    code = "file_refused"
    status = "INVALID_ARGUMENT"


class Imports:
    """Takes files as the service does, and remembers what came."""

    def __init__(self, stage: Stage) -> None:
        self.spec = imports_pb2.ImportSpec()
        self.chunks: list[bytes] = []
        self.is_complete = False
        self.was_broken_off = False
        stage.orders.on(CREATE, self._take)

    @property
    def file(self) -> bytes:
        return b"".join(self.chunks)

    async def _take(self, parts: Any, context: Any) -> imports_pb2.Import:
        context.add_done_callback(self._ended)
        async for part in parts:
            if part.WhichOneof("part") == "spec":
                self.spec = part.spec
            elif part.WhichOneof("part") == "chunk":
                self.chunks.append(part.chunk)
            else:
                self.is_complete = part.complete
        return imports_pb2.Import(id="i-1", source=self.spec.source, orders_by_status={"COMPLETED": 3})

    def _ended(self, context: Any) -> None:
        self.was_broken_off = not self.is_complete


@pytest.fixture
def imports(stage: Stage) -> Imports:
    return Imports(stage)


def test_a_raw_file_is_taken(client: httpx.Client, imports: Imports) -> None:
    answer = client.post("/imports?source=shop&dry_run=true", content=CSV, headers={"Content-Type": "text/csv"})

    assert answer.status_code == 202
    assert answer.json()["data"]["orders_by_status"] == {"COMPLETED": 3}
    assert (imports.spec.source, imports.spec.dry_run, imports.spec.gzip) == ("shop", True, False)
    assert (imports.file, imports.is_complete) == (CSV, True)


def test_a_form_names_the_source_by_its_file(client: httpx.Client, imports: Imports) -> None:
    answer = client.post("/imports", files={"file": ("C:\\data\\orders-2010-12.csv.gz", gzip.compress(CSV))})

    assert answer.status_code == 202
    assert (imports.spec.source, imports.spec.gzip) == ("orders-2010-12", True)
    assert gzip.decompress(imports.file) == CSV


def test_a_file_without_a_name_has_one(client: httpx.Client, imports: Imports) -> None:
    client.post("/imports", content=CSV, headers={"Content-Type": "text/csv; charset=utf-8"})

    assert imports.spec.source == "upload"


def test_a_large_file_comes_in_pieces(client: httpx.Client, imports: Imports) -> None:
    file = bytes(range(256)) * 12_000

    answer = client.post("/imports", files={"file": ("big.csv", file, "text/csv")})

    assert answer.status_code == 202
    assert imports.file == file
    assert len(imports.chunks) > 5


def test_a_chunked_body_is_taken_too(client: httpx.Client, imports: Imports) -> None:
    answer = client.post("/imports", content=iter([CSV, CSV]), headers={"Content-Type": "text/csv"})

    assert (answer.status_code, imports.file) == (202, CSV * 2)


def test_an_empty_file_is_for_the_service_to_refuse(client: httpx.Client, imports: Imports) -> None:
    assert client.post("/imports", content=b"", headers={"Content-Type": "text/csv"}).status_code == 202
    assert (imports.chunks, imports.is_complete) == ([], True)


def test_another_part_of_the_form_is_refused_by_name(client: httpx.Client, imports: Imports) -> None:
    answer = client.post("/imports", files={"sheet": ("a.csv", CSV)})

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["sheet"])


def test_a_form_that_is_cut_off_places_nothing(client: httpx.Client, imports: Imports) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CSV * 20_000
    answer = client.post("/imports", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "malformed_request")
    assert until(lambda: imports.was_broken_off)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "text/html"])
def test_something_else_is_no_file(client: httpx.Client, content_type: str, imports: Imports) -> None:
    answer = client.post("/imports", content=b"{}", headers={"Content-Type": content_type})

    assert answer.status_code in (400, 415)


def test_an_early_refusal_is_heard_while_the_file_is_still_coming(client: httpx.Client, stage: Stage) -> None:
    async def refuse_at_once(parts: Any, context: Any) -> None:
        await anext(parts)
        await refuse(context, NotCsv("This is not CSV."))

    stage.orders.on(CREATE, refuse_at_once)
    answers: list[httpx.Response] = []

    def is_told() -> bool:
        # Now and then a write that came too late has taken the answer's place; then we are asked to try again.
        answers.append(client.post("/imports", content=b"x" * 8_000_000, headers={"Content-Type": "text/csv"}))
        return answers[-1].status_code != 503

    assert until(is_told)
    assert (answers[-1].status_code, answers[-1].json()["message"]) == (422, "This is not CSV.")


def test_rejects_are_a_file(client: httpx.Client, stage: Stage) -> None:
    async def rejects(request: Any, context: Any) -> Any:
        for piece in (b"line,invoice,reason\n", b"7,536365,no customer\n"):
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=piece)

    stage.orders.on(REJECTS, rejects)
    answer = client.get("/imports/i-1/rejects")

    assert answer.text == "line,invoice,reason\n7,536365,no customer\n"
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["content-disposition"] == 'attachment; filename="rejects.csv"'


def test_rejects_of_an_unknown_import_are_a_404(client: httpx.Client, stage: Stage) -> None:
    async def unknown(request: Any, context: Any) -> Any:
        await refuse(context, NotFound("No such import."))
        yield

    stage.orders.on(REJECTS, unknown)

    assert client.get("/imports/i-1/rejects").status_code == 404


def test_a_file_that_breaks_off_is_not_taken_for_whole(client: httpx.Client, stage: Stage) -> None:
    async def break_off(request: Any, context: Any) -> Any:
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"line,invoice,reason\n")
        await refuse(context, NotFound("gone"))

    stage.orders.on(REJECTS, break_off)

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/imports/i-1/rejects")
