"""Imports from the command line: what is sent, what is told, and how it ends."""

import json
from pathlib import Path

import pytest

from protos.inventory.v1.inventory_pb2 import Product
from protos.orders.v1 import imports_pb2 as pb
from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import TOO_LARGE, UNUSABLE, FakeServices

CHECKING = pb.Import(id="import-1", source="s", status=pb.IMPORT_STATUS_CHECKING, rows=42_481)
PLACING = pb.Import(
    id="import-1", source="s", status=pb.IMPORT_STATUS_PLACING, rows=42_481, orders=1_400, placed_orders=500,
    terminal_orders=300, orders_per_second=150, seconds_left=7.3,
)  # fmt: skip
DONE = pb.Import(
    id="import-1", source="s", status=pb.IMPORT_STATUS_DONE, rows=42_481, orders=1_400, placed_orders=1_400,
    terminal_orders=1_400, rejected_orders=625, rejected_rows=16_321,
    orders_by_status={"COMPLETED": 1_399, "FAILED": 1},
)  # fmt: skip
CHECKED = pb.Import(id="import-1", source="s", status=pb.IMPORT_STATUS_CHECKED, dry_run=True, rows=42_481, orders=1_400)
CANCELLED = pb.Import(id="import-1", source="s", status=pb.IMPORT_STATUS_CANCELLED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "month.csv.gz"
    file.write_bytes(b"bytes" * 200_000)
    return file


def test_an_import_waits_until_all_of_its_orders_have_ended(
    services: FakeServices, orderctl: Orderctl, file: Path
) -> None:
    services.imports.stages = [CHECKING, PLACING, DONE]
    done = orderctl("import", file)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "42,481" in lines[1]
    assert "1,400 orders" in lines[2]
    assert "625 orders, 16,321 rows" in lines[3]
    assert lines[-1].startswith("1,400 orders: 1,399 COMPLETED, 1 FAILED in ")
    assert lines[-1].endswith(" s")


def test_the_whole_file_is_sent_and_called_whole(services: FakeServices, orderctl: Orderctl, file: Path) -> None:
    services.imports.stages = [DONE]
    orderctl("import", file)
    assert services.imports.taken == file.read_bytes()
    assert services.imports.is_complete
    assert services.imports.spec == pb.ImportSpec(source="month", gzip=True)


def test_source_and_dry_run_are_told(services: FakeServices, orderctl: Orderctl, file: Path) -> None:
    services.imports.stages = [CHECKED]
    checked = orderctl("import", file, "--source", "shop", "--dry-run")
    assert checked.exit_code == 0
    assert services.imports.spec == pb.ImportSpec(source="shop", gzip=True, dry_run=True)
    assert "COMPLETED" not in checked.stdout


def test_rejects_are_written_with_line_and_reason(
    services: FakeServices, orderctl: Orderctl, file: Path, tmp_path: Path
) -> None:
    services.imports.stages = [DONE]
    rejects = tmp_path / "rejects.csv"
    assert orderctl("import", file, "--rejects", rejects).exit_code == 0
    assert rejects.read_text() == "line,invoice,reason\n3,C1,Quantity is missing\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["month.csv.gz", "rejects.csv"]


def test_a_place_for_rejects_that_does_not_exist_is_told_before_anything_is_sent(
    services: FakeServices, orderctl: Orderctl, file: Path, tmp_path: Path
) -> None:
    assert orderctl("import", file, "--rejects", tmp_path / "missing" / "rejects.csv").exit_code == 2
    assert services.imports.spec is None


def test_without_waiting_it_says_that_it_goes_on(services: FakeServices, orderctl: Orderctl, file: Path) -> None:
    taken = orderctl("import", file, "--no-wait")
    assert taken.exit_code == 0
    assert "import-1 goes on by itself" in taken.stdout
    assert services.imports.looks == 0


def test_a_program_gets_the_import_as_json_and_nothing_else(
    services: FakeServices, orderctl: Orderctl, file: Path
) -> None:
    services.imports.stages = [DONE]
    document = json.loads(orderctl("import", file, "--output", "json").stdout)
    assert document["data"]["orders_by_status"] == {"COMPLETED": 1_399, "FAILED": 1}


@pytest.mark.parametrize("refusal", [UNUSABLE, TOO_LARGE])
def test_an_unusable_file_is_a_sentence_and_exit_code_2(
    services: FakeServices, orderctl: Orderctl, file: Path, refusal: tuple[int, str, str]
) -> None:
    services.imports.refusal = refusal
    refused = orderctl("import", file)
    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", f"Error: {refusal[2]}\n")


def test_a_file_that_is_not_there_is_exit_code_2(services: FakeServices, orderctl: Orderctl, tmp_path: Path) -> None:
    assert orderctl("import", tmp_path / "missing.csv").exit_code == 2
    assert orderctl("import", tmp_path).exit_code == 2


def test_a_service_that_is_restarted_meanwhile_is_waited_for(
    services: FakeServices, orderctl: Orderctl, file: Path
) -> None:
    services.imports.stages = [PLACING, DONE]
    services.imports.away = 3
    assert orderctl("import", file).exit_code == 0


def test_a_cancelled_import_is_unfinished(services: FakeServices, orderctl: Orderctl, file: Path) -> None:
    services.imports.stages = [PLACING, CANCELLED]
    cancelled = orderctl("import", file)
    assert cancelled.exit_code == 1
    assert "orderctl imports resume import-1" in cancelled.stderr


def test_imports_are_listed_shown_resumed_and_cancelled(services: FakeServices, orderctl: Orderctl) -> None:
    services.imports.stages = [PLACING, PLACING]
    assert orderctl("imports", "list").stdout.count("import-1") == 2
    assert "PLACING" in orderctl("imports", "show", "import-1").stdout
    assert "CHECKING" in orderctl("imports", "resume", "import-1").stdout
    assert "CANCELLED" in orderctl("imports", "cancel", "import-1").stdout


def test_a_catalogue_is_made_of_what_the_orders_need(services: FakeServices, orderctl: Orderctl, file: Path) -> None:
    services.imports.stages = [CHECKED]
    services.imports.demand = [
        pb.ImportDemand(sku=sku, name=sku.lower(), unit_price="2.55", currency="GBP", quantity=quantity)
        for sku, quantity in (("A", 1), ("B", 2), ("C", 3))
    ]
    services.inventory.products["B"] = Product(sku="B", price="9.99")
    for made, received in ((2, 3), (0, 0)):
        told = json.loads(orderctl("catalogue", "from-orders", file, "--output", "json").stdout)["data"]
        assert told == {
            "products": 3, "new_products": made, "pieces": 6, "receipts": received, "repeated_receipts": 3 - received,
        }  # fmt: skip
    assert services.imports.spec is not None
    assert services.imports.spec.dry_run
    assert services.inventory.receipts == {
        ("A", "catalogue:month"): 1, ("B", "catalogue:month"): 2, ("C", "catalogue:month"): 3,
    }  # fmt: skip
    assert services.inventory.products["B"].price == "9.99"
