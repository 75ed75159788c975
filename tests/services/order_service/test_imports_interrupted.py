"""kill -9 between any two steps of an import: whoever comes next goes on with it, and nothing happens twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.database import Database, rows_of
from order_service.imports import commands
from order_service.imports.domain import ImportStatus
from order_service.imports.queries import ImportView, list_imports
from tests.databases import DatabaseUrls
from tests.services.order_service.import_months import Importing, a_month

ORDERS = 40
WHILE_STAGING = ("orders.imports.after_piece", "orders.imports.before_staged")
WHEN_STAGED = (
    "orders.imports.after_staging",
    "orders.imports.before_check",
    "orders.imports.after_check",
    "orders.imports.before_place",
    "orders.place.before_insert",
    "orders.place.after_insert",
    "orders.place.before_commit",
    "orders.imports.before_commit",
    "orders.imports.after_place",
    "orders.imports.before_settled",
    "orders.imports.after_settle",
)

SECOND_PASS = {
    "orders.imports.after_check": "@2",
    "orders.imports.before_commit": "@2",
    "orders.imports.after_place": "@3",
}
"""Where it is worth more to die when something was done already."""


@pytest.fixture
def url(database_urls: DatabaseUrls) -> str:
    return database_urls.empty("orders")


@pytest.fixture
def importing(url: str) -> Iterator[Importing]:
    database = Database(url, schema="orders", application_name="tests")
    yield Importing(database)
    database.close()


def process(url: str, *files: Path, failpoint: str = "") -> int:
    """The exit code of a process that takes the files and goes on; minus the signal that ended it."""
    command = [sys.executable, "-m", "tests.services.order_service.import_process", url, *map(str, files)]
    return subprocess.run(command, env=os.environ | {"FAILPOINT": failpoint}, timeout=60, check=False).returncode


def imports(importing: Importing) -> list[ImportView]:
    return importing.database.read(lambda connection: list_imports(connection, 10, ""))[0]


@pytest.mark.parametrize("point", WHEN_STAGED)
def test_an_import_that_dies_when_its_file_is_taken_goes_on_without_the_file(
    importing: Importing, url: str, tmp_path: Path, point: str
) -> None:
    file, facts = a_month(ORDERS)
    month = tmp_path / "month.csv"
    month.write_bytes(file)
    assert process(url, month, failpoint=f"{point}=crash{SECOND_PASS.get(point, '')}") == -signal.SIGKILL
    assert process(url) == 0
    [done] = imports(importing)
    expected = facts.document()
    assert (done.status, done.orders, done.orders_by_status) == (ImportStatus.DONE, ORDERS, {"COMPLETED": ORDERS})
    assert (done.rejected_orders, done.rejected_rows) == (expected["rejected_orders"], expected["rejected_rows"])
    assert importing.count("import_rejects") == expected["rejected_rows"]
    assert importing.count("orders") == importing.count("outbox") == importing.count("import_identities") == ORDERS
    [stored] = importing.database.read(lambda c: rows_of(c, "SELECT sum(total_minor) AS total FROM orders"))
    assert f"{stored.total / 100:.2f}" == expected["total_amount"]


@pytest.mark.parametrize("point", WHILE_STAGING)
def test_a_file_that_was_not_taken_whole_places_nothing_and_can_be_taken_again(
    importing: Importing, url: str, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = a_month(ORDERS)
    month = tmp_path / "month.csv"
    month.write_bytes(file)
    assert process(url, month, failpoint=f"{point}=crash") == -signal.SIGKILL
    assert process(url) == 0
    assert importing.count("orders") == 0
    assert process(url, month) == 0
    assert importing.count("orders") == ORDERS
    monkeypatch.setattr(commands, "UPLOAD_SILENCE", -commands.UPLOAD_SILENCE)
    commands.tidy(importing.database)
    assert [view.status for view in imports(importing)] == [ImportStatus.DONE, ImportStatus.REFUSED]
    assert importing.count("import_rows") == 0
