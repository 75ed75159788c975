"""A month of orders from its file to COMPLETED, whatever is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local import Stack
from tests.end_to_end.books import Books
from tests.end_to_end.shop import Shop
from tests.waiting import until

ORDERCTL = Path(sys.executable).with_name("orderctl")
HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@dataclass
class Operator:
    """Somebody with a terminal and a folder."""

    stack: Stack
    folder: Path

    def start(self, *words: object) -> subprocess.Popen[str]:
        command = [str(ORDERCTL), *map(str, words)]
        surroundings = {**os.environ, **self.stack.environment}
        return subprocess.Popen(
            command, cwd=self.folder, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *words: object) -> tuple[int, str, str]:
        """Exit code, output, and what was said on stderr."""
        with self.start(*words) as process:
            said, complained = process.communicate(timeout=120)
        return process.returncode, said, complained

    def ask(self, *words: object) -> Any:
        code, said, complained = self.run(*words, "--output", "json")
        assert code == 0, complained
        return json.loads(said)["data"]

    def month(self, name: str, orders: int, seed: int) -> Any:
        """A sample month and its products and stock; its facts."""
        self.ask("sample", f"{name}.csv.gz", "--orders", orders, "--seed", seed)
        self.ask("catalogue", "from-orders", f"{name}.csv.gz")
        return json.loads((self.folder / f"{name}.csv.gz.facts.json").read_text())

    def newest(self) -> Any:
        return Shop(self.stack).call("GET", "/imports?page_size=1").data[0]

    def has_begun(self, source: str) -> bool:
        """Whether its file was taken, and its orders are on their way."""
        found = self.newest()
        return found["source"] == source and found["status"] in ("CHECKING", "PLACING", "SETTLING", "DONE")


@pytest.fixture
def operator(stack: Stack, tmp_path: Path) -> Operator:
    return Operator(stack, tmp_path)


@pytest.fixture
def books(stack: Stack) -> Iterator[Books]:
    opened = Books(stack)
    yield opened
    opened.close()


def is_empty(operator: Operator, facts: Any) -> bool:
    """Whether the shelves of what sold best are exactly empty."""
    shop = Shop(operator.stack)
    stocks = [shop.call("GET", f"/inventory/{top['sku']}").data for top in facts["top_skus"]]
    return all((stock["on_hand"], stock["reserved"]) == (0, 0) for stock in stocks)


def test_a_month_goes_from_its_file_to_completed_and_leaves_every_shelf_empty(operator: Operator, books: Books) -> None:
    facts = operator.month("month", 60, seed=11)
    code, said, complained = operator.run("import", "month.csv.gz", "--rejects", "rejects.csv")
    assert code == 0, complained
    assert said.splitlines()[-1].startswith("60 orders: 60 COMPLETED in ")
    assert len((operator.folder / "rejects.csv").read_text().splitlines()) == facts["rejected_rows"] + 1
    done = operator.newest()
    assert (done["rows"], done["orders"], done["terminal_orders"]) == (facts["rows"], 60, 60)
    assert until(lambda: is_empty(operator, facts))
    figures = operator.ask("kpis", "range", "--from", min(facts["days"]), "--to", max(facts["days"]))
    assert int(figures["orders"]) >= 60
    for _ in range(2):
        again = operator.ask("import", "month.csv.gz")
        assert (again["orders"], again["already_imported"]) == (60, 60)
        assert operator.ask("catalogue", "from-orders", "month.csv.gz")["receipts"] == 0
    assert is_empty(operator, facts)
    assert until(lambda: not books.broken()), books.broken()


def test_the_order_service_is_killed_again_and_again_and_the_import_goes_on(operator: Operator, books: Books) -> None:
    facts = operator.month("killed", 400, seed=12)
    with operator.start("import", "killed.csv.gz") as importing:
        assert until(lambda: operator.has_begun("killed"))
        for seconds in (0.2, 1.5, 3.0):
            until(lambda: importing.poll() is not None, seconds=seconds)
            assert until(lambda: "order_service" in operator.stack.pids)
            operator.stack.kill("order_service")
        said, complained = importing.communicate(timeout=120)
    assert importing.returncode == 0, complained
    assert said.splitlines()[-1].startswith("400 orders: 400 COMPLETED in ")
    assert until(lambda: is_empty(operator, facts))
    assert until(lambda: not books.broken()), books.broken()


def test_an_import_does_not_need_the_one_who_started_it(operator: Operator) -> None:
    operator.month("abandoned", 200, seed=13)
    with operator.start("import", "abandoned.csv.gz") as importing:
        assert until(lambda: operator.has_begun("abandoned"))
        importing.send_signal(signal.SIGKILL)
    done = until(lambda: (found := operator.newest())["status"] == "DONE" and found, seconds=60)
    assert done, operator.newest()
    assert done["orders_by_status"] == {"COMPLETED": 200}


def test_an_import_is_cancelled_and_resumed(operator: Operator) -> None:
    operator.month("paused", 400, seed=14)
    # Without inventory no order gets on, so that the import is still under way when it is cancelled.
    operator.stack.take_down("inventory_service")
    operator.run("import", "paused.csv.gz", "--no-wait")
    import_id = operator.newest()["id"]
    cancelled = operator.ask("imports", "cancel", import_id)
    operator.stack.bring_up("inventory_service")
    assert cancelled["status"] == "CANCELLED"
    assert operator.ask("imports", "resume", import_id)["status"] == "CHECKING"
    assert until(lambda: operator.ask("imports", "show", import_id)["status"] == "DONE", seconds=60)
    assert operator.newest()["orders_by_status"] == {"COMPLETED": 400}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"PK\x03\x04\xff", "The file is not UTF-8"),
        (b"sku;price\nA;1\n", "The first line must name the columns"),
        ((HEAD + "1,A,a,1,2010-12-01 08:26:00,2.50,c-1,UK\n2,A,a,1,2010").encode(), "ends in the middle of line 3"),
    ],
)
def test_an_unusable_file_is_a_sentence_and_exit_code_2_over_every_face(
    operator: Operator, content: bytes, sentence: str
) -> None:
    (operator.folder / "broken.csv").write_bytes(content)
    for verb in (["import"], ["catalogue", "from-orders"]):
        code, said, complained = operator.run(*verb, "broken.csv")
        assert (code, said) == (2, "")
        assert sentence in complained
    status, problem = upload(operator.stack, content)
    assert (status, problem["error_code"]) == (422, "unusable_file")
    assert sentence in problem["detail"]


def test_a_file_may_come_over_rest(operator: Operator) -> None:
    facts = operator.month("rest", 30, seed=15)
    status, document = upload(operator.stack, (operator.folder / "rest.csv.gz").read_bytes(), "?source=rest")
    assert status == 202
    import_id = document["data"]["id"]
    shop = Shop(operator.stack)
    assert until(lambda: shop.call("GET", f"/imports/{import_id}").data["status"] == "DONE", seconds=60)
    done = shop.call("GET", f"/imports/{import_id}").data
    assert (done["orders"], done["rejected_rows"]) == (30, facts["rejected_rows"])
    assert shop.call("GET", "/imports?page_size=1").data[0]["id"] == import_id


def upload(stack: Stack, content: bytes, query: str = "") -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://{stack.place.address('rest')}/api/v1/imports{query}", content, {"Content-Type": "text/csv"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())
