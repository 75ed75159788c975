"""Files of products: what is taken, what is rejected by line, and that a broken file changes nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.orderctl.conftest import Orderctl
from tests.unit.gateway.orderctl.fake_services import FakeServices

GOOD = "sku,name,price,supply,supplier,receive\nA,a lamp,2.55,,,10\nB,a chair,19.90,SUPPLIER,acme,\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spring.csv"


def told(orderctl: Orderctl, file: Path, *arguments: Any) -> Any:
    done = orderctl("products", "import", file, "--output", "json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["data"]


def test_products_are_made_and_what_came_in_is_received_once(
    services: FakeServices, orderctl: Orderctl, file: Path
) -> None:
    file.write_text(GOOD)

    first, again = told(orderctl, file), told(orderctl, file)

    assert first == {
        "rows": 2, "accepted": 2, "rejected": 0, "new_products": 2, "pieces": 10, "receipts": 1, "repeated_receipts": 0,
    }  # fmt: skip
    assert (again["new_products"], again["receipts"], again["repeated_receipts"]) == (0, 0, 1)
    assert services.inventory.receipts == {("A", "products:spring"): 10}
    assert services.inventory.products["B"].currency == "GBP"


def test_a_packed_file_is_one_too(services: FakeServices, orderctl: Orderctl, tmp_path: Path) -> None:
    packed = tmp_path / "spring.csv.gz"
    packed.write_bytes(gzip.compress(GOOD.encode()))

    assert told(orderctl, packed)["accepted"] == 2


def test_rows_that_cannot_be_taken_are_told_with_line_and_reason(
    services: FakeServices, orderctl: Orderctl, file: Path, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    file.write_text(
        "sku,name,price,currency,supply,supplier,active,receive\n"
        "A,lamp,2.55,,,,,\n"
        ",no sku,1.00,,,,,\n"
        "B,dear,1.005,,,,,\n"
        "C,cheap,free,,,,,\n"
        "A,again,2.55,,,,,\n"
        "D,foreign,2.55,EUR,,,,\n"
        "E,lonely,2.55,,SUPPLIER,,,\n"
        "F,odd,2.55,,,,perhaps,\n"
        "G,less,2.55,,,,,-1\n"
        "H,magic,2.55,,WIZARD,,,\n"
        "=1+1,formula,nothing,,,,,\n"
        "I,foreign too,2.55,EUR,,,,\n"
    )
    found = told(orderctl, file, "--rejects", rejects)

    assert (found["rows"], found["accepted"], found["rejected"]) == (12, 1, 11)
    lines = rejects.read_text().splitlines()
    assert lines[0] == "line,sku,reason"
    assert [line.split(",")[0] for line in lines[1:]] == [str(number) for number in range(3, 14)]
    assert "stands in line 2 already" in lines[4]
    assert "currency: must be GBP" in lines[5]
    assert "currency: must be GBP" in lines[-1]
    assert lines[-2].startswith("12,'=1+1,")
    assert list(services.inventory.products) == ["A"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "sku,price\nA,1.00\n",
        "sku,name,price,colour\nA,a,1.00,red\n",
        "sku,name,price,sku\nA,a,1.00,A\n",
        "sku,name,price\nA,a,1.00\nB,b,1.00,extra\n",
        "sku,name,price\nA,a,1.00\nB,b,1.0",
        "sku,name,price\nA,a,1.00\nB,\0b,1.00\n",
        'sku,name,price\nA,a,1.00\n"B,b,1.00\n',
        "sku,name,price\nA,a,1.00\nB," + "b" * 200_000 + ",1.00\n",
    ],
)
def test_a_broken_file_changes_nothing(services: FakeServices, orderctl: Orderctl, file: Path, content: str) -> None:
    file.write_text(content)
    done = orderctl("products", "import", file)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert services.inventory.products == {}


@pytest.mark.parametrize(
    "content", [b"sku,name,price\nA,\xff,1.00\n", b"sku,name,price\n" + b"A,a,1.00\n" * 9 + b"\xc3\n"]
)
def test_what_is_no_text_changes_nothing(
    services: FakeServices, orderctl: Orderctl, file: Path, content: bytes
) -> None:
    file.write_bytes(content)

    assert orderctl("products", "import", file).exit_code == 2
    assert services.inventory.products == {}


def test_a_packed_file_that_is_cut_off_changes_nothing(
    services: FakeServices, orderctl: Orderctl, tmp_path: Path
) -> None:
    packed = tmp_path / "spring.csv.gz"
    for content in (gzip.compress(GOOD.encode() * 50)[:-9], b"not gzip\n"):
        packed.write_bytes(content)
        assert orderctl("products", "import", packed).exit_code == 2
    assert services.inventory.products == {}


def test_a_dry_run_checks_and_changes_nothing(
    services: FakeServices, orderctl: Orderctl, file: Path, tmp_path: Path
) -> None:
    file.write_text(GOOD + "C,c,free,,,\n")
    found = told(orderctl, file, "--dry-run", "--rejects", tmp_path / "rejects.csv")

    assert found == {"rows": 3, "accepted": 2, "rejected": 1}
    assert (services.inventory.products, services.inventory.receipts) == ({}, {})
    assert "C" in (tmp_path / "rejects.csv").read_text()


def test_a_place_for_rejects_that_does_not_exist_is_told_first(
    services: FakeServices, orderctl: Orderctl, file: Path, tmp_path: Path
) -> None:
    file.write_text(GOOD)

    assert orderctl("products", "import", file, "--rejects", tmp_path / "missing" / "r.csv").exit_code == 2
    assert services.inventory.products == {}


def test_a_file_of_several_pieces_is_checked_whole_first(
    services: FakeServices, orderctl: Orderctl, file: Path
) -> None:
    """A foreign currency in the last piece is known before the first one is put."""
    rows = "".join(f"S{number},n,1.00,GBP\n" for number in range(2_500))
    file.write_text(f"sku,name,price,currency\n{rows}X,n,1.00,EUR\n")

    assert told(orderctl, file)["rejected"] == 1
    assert len(services.inventory.products) == 2_500
