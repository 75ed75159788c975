"""Imports on a real Postgres: what is taken, what becomes an order, what is rejected; and nothing happens twice."""

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis import clock
from chassis.database import Database, rows_of, run_sql
from chassis.errors import NotFound
from order_service.imports import commands, queries
from order_service.imports.domain import (
    FileTooLarge,
    ImportNotCancellable,
    ImportNotResumable,
    ImportStatus,
    NotADryRun,
    UnusableFile,
    UploadBrokeOff,
)
from tests.databases import DatabaseUrls
from tests.services.order_service.import_months import Importing, a_file, a_line, a_month


@pytest.fixture
def importing(database_urls: DatabaseUrls) -> Iterator[Importing]:
    database = Database(database_urls.empty("orders"), schema="orders", application_name="tests")
    yield Importing(database)
    database.close()


def test_a_month_is_imported_to_the_last_penny(importing: Importing) -> None:
    file, facts = a_month(120)
    expected = facts.document()
    done = importing.finish(importing.take(file))
    assert (done.status, done.rows, done.orders) == (ImportStatus.DONE, expected["rows"], 120)
    assert (done.rejected_orders, done.rejected_rows) == (expected["rejected_orders"], expected["rejected_rows"])
    assert done.orders_by_status == {"COMPLETED": 120}
    stored = importing.database.read(
        lambda c: rows_of(c, "SELECT sum(total_minor) AS total, sum(jsonb_array_length(items)) AS lines FROM orders")
    )[0]
    assert f"{stored.total / 100:.2f}" == expected["total_amount"]
    assert stored.lines == expected["accepted_lines"]
    assert importing.count("import_rejects") == expected["rejected_rows"]
    assert importing.count("import_rows") == importing.count("import_orders") == 0


def test_what_an_import_places_is_counted_once_and_what_it_finds_is_not(importing: Importing) -> None:
    file = a_file(a_line("1"), a_line("2"), a_line("3", price="-1"))
    importing.finish(importing.take(file))
    assert importing.counted == 2
    importing.finish(importing.take(a_file(a_line("1"), a_line("2"), a_line("4"))))
    assert importing.counted == 3


def test_an_imported_order_is_an_operators_act_with_the_files_own_prices_and_date(importing: Importing) -> None:
    file = a_file(
        a_line("536591", "A", "2", "2.55", date="2010-12-01 16:58:00", name="Lamp", country="EIRE"),
        a_line("536591", "A", "1", "0.00", date="2010-12-01 16:57:00", name="Lamp, a gift", country="EIRE"),
    )
    importing.finish(importing.take(file))
    order = importing.database.read(lambda c: rows_of(c, "SELECT * FROM orders"))[0]
    assert order.items == [
        {"sku": "A", "name": "Lamp", "quantity": 2, "unit_price_minor": 255},
        {"sku": "A", "name": "Lamp, a gift", "quantity": 1, "unit_price_minor": 0},
    ]
    assert (order.total_minor, order.currency, order.customer_id) == (510, "GBP", "c-1")
    assert order.placed_at == datetime(2010, 12, 1, 16, 57, tzinfo=UTC)
    assert (order.external_ref, order.metadata) == ("536591", {"source": "shop", "country": "EIRE"})
    step = importing.database.read(lambda c: rows_of(c, "SELECT * FROM timeline WHERE version = 1"))[0]
    assert step.actor == "import"
    assert importing.count("outbox") == 1


def test_an_order_may_have_five_thousand_lines_in_an_import(importing: Importing) -> None:
    lines = [a_line("1", f"S{place}") for place in range(5_000)]
    done = importing.finish(importing.take(a_file(*lines, *(a_line("2", "A") for _ in range(5_001)))))
    assert (done.orders, done.rejected_orders, done.rejected_rows) == (1, 1, 5_001)
    assert importing.rejects(done.id)[0] == (5_002, "2", "the invoice has more than 5,000 lines")


def test_each_rejected_row_is_told_with_line_invoice_and_reason(importing: Importing) -> None:
    importing.shelf.unknown = {"NONE"}
    importing.shelf.withdrawn = {"OLD"}
    file = a_file(
        a_line("1", quantity="-1"), a_line("1"),
        a_line("2", "NONE"), a_line("2"),
        a_line("3", "OLD"),
        a_line("4"), a_line("4", customer="c-2"),
        a_line("5", price="0"),
        a_line(""),
        a_line("6"),
    )  # fmt: skip
    done = importing.finish(importing.take(file))
    assert importing.rejects(done.id) == [
        (2, "1", "Quantity is -1, not at least 1"),
        (3, "1", "line 2 of the same invoice is rejected"),
        (4, "2", "there is no product NONE"),
        (5, "2", "line 4 of the same invoice is rejected"),
        (6, "3", "product OLD is not sold any more"),
        (7, "4", "the invoice names more than one customer"),
        (8, "4", "the invoice names more than one customer"),
        (9, "5", "the invoice comes to 0"),
        (10, "", "InvoiceNo is missing"),
    ]
    assert (done.orders, done.rejected_orders, done.rejected_rows) == (1, 6, 9)


def test_rows_of_one_invoice_belong_together_wherever_they_stand(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "CHECK_ROWS", 3)
    monkeypatch.setattr(commands, "STAGE_ROWS", 4)
    file = a_file(*(a_line(str(place % 5), quantity=str(place + 1)) for place in range(20)))
    assert importing.finish(importing.take(file)).orders == 5
    counts = importing.database.read(lambda c: rows_of(c, "SELECT DISTINCT jsonb_array_length(items) AS n FROM orders"))
    assert [row.n for row in counts] == [4]


def test_the_same_file_again_changes_nothing(importing: Importing) -> None:
    file, _ = a_month(40)
    importing.finish(importing.take(file))
    before = importing.database.read(lambda c: rows_of(c, "SELECT id, version FROM orders ORDER BY id"))
    again = importing.finish(importing.take(gzip.compress(file)))
    assert (again.orders, again.already_imported, again.terminal_orders) == (40, 40, 40)
    assert importing.database.read(lambda c: rows_of(c, "SELECT id, version FROM orders ORDER BY id")) == before


def test_another_source_is_another_identity(importing: Importing) -> None:
    file, _ = a_month(10)
    importing.finish(importing.take(file, source="shop"))
    other = importing.finish(importing.take(file, source="shop:2"))
    assert (other.orders, other.already_imported) == (10, 0)
    assert importing.count("orders") == 20


def test_the_same_identity_with_other_content_is_rejected_and_named(importing: Importing) -> None:
    importing.finish(importing.take(a_file(a_line("1"), a_line("2"))))
    [order] = importing.database.read(lambda c: rows_of(c, "SELECT id FROM orders WHERE external_ref = '2'"))
    for changed in (a_line("2", quantity="2"), a_line("2", customer="c-2"), a_line("2") + a_line("2", "B")):
        again = importing.finish(importing.take(a_file(a_line("1"), changed)))
        assert (again.orders, again.already_imported, again.rejected_orders) == (1, 1, 1)
        assert importing.rejects(again.id)[0] == (
            3, "2", f"this invoice was imported before with other content, as order {order.id}",
        )  # fmt: skip
    assert importing.count("orders") == 2


def test_a_withdrawn_product_does_not_undo_what_was_imported(importing: Importing) -> None:
    importing.finish(importing.take(a_file(a_line("1"))))
    importing.shelf.withdrawn = {"A"}
    again = importing.finish(importing.take(a_file(a_line("1"), a_line("2"))))
    assert (again.orders, again.already_imported, again.rejected_orders) == (1, 1, 1)


def test_two_imports_of_one_file_at_once_place_each_order_once(importing: Importing) -> None:
    file, _ = a_month(60)
    first, second = importing.take(file), importing.take(file)
    for _ in range(3):
        importing.go_on()
    views = importing.finish(first), importing.finish(second)
    assert [view.orders for view in views] == [60, 60]
    assert sum(view.already_imported for view in views) == 60
    assert importing.count("orders") == 60


def test_two_instances_that_both_believe_to_lead_place_each_order_once(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PLACE_ORDERS", 5)
    file, _ = a_month(80)
    import_id = importing.take(file)
    other = Importing(importing.database)
    threads = [threading.Thread(target=instance.finish, args=(import_id,)) for instance in (importing, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    done = importing.see(import_id)
    assert (done.orders, done.placed_orders, done.terminal_orders) == (80, 80, 80)
    assert importing.count("orders") == 80


def test_two_imports_that_contradict_each_other_keep_what_came_first(importing: Importing) -> None:
    first, second = importing.take(a_file(a_line("1"))), importing.take(a_file(a_line("1", quantity="9")))
    views = importing.finish(first), importing.finish(second)
    assert sorted((view.orders, view.rejected_orders, view.rejected_rows) for view in views) == [(0, 1, 1), (1, 0, 0)]
    assert importing.count("orders") == 1


def test_a_key_that_a_customer_has_used_for_something_else_rejects_the_order(importing: Importing) -> None:
    importing.finish(importing.take(a_file(a_line("1"))))
    with importing.database.begin() as connection:
        run_sql(connection, "DELETE FROM import_identities")
        run_sql(connection, "UPDATE orders SET fingerprint = 'x'")
    again = importing.finish(importing.take(a_file(a_line("1"), a_line("2"))))
    assert importing.rejects(again.id) == [(2, "1", "the idempotency key stands for another request")]
    assert (again.orders, again.rejected_orders, again.terminal_orders) == (1, 1, 1)


def test_a_dry_run_places_nothing_and_tells_what_would_be_needed(importing: Importing) -> None:
    importing.shelf.unknown = {"NONE"}
    file = a_file(
        a_line("1", "A", "2", "2.50"), a_line("1", "NONE", "3", "1.00"), a_line("2", "A", "5", "2.25", name="newer"),
        a_line("3", "A", "-7"),
    )  # fmt: skip
    checked = importing.finish(importing.take(file, dry_run=True))
    assert (checked.status, checked.orders, checked.rejected_orders) == (ImportStatus.CHECKED, 1, 2)
    assert importing.count("orders") == importing.count("outbox") == importing.count("import_identities") == 0
    lines, token, currency = importing.database.read(lambda c: queries.demand(c, checked.id, 1, ""))
    assert [tuple(line) for line in lines] == [("A", "newer", 7, 225)]
    assert (token, currency) == ("A", "GBP")
    lines, token, _ = importing.database.read(lambda c: queries.demand(c, checked.id, 1, token))
    assert ([tuple(line) for line in lines], token) == ([("NONE", "a thing", 3, 100)], "")


def test_demand_is_told_of_dry_runs_only(importing: Importing) -> None:
    done = importing.finish(importing.take(a_file(a_line())))
    with pytest.raises(NotADryRun):
        importing.database.read(lambda c: queries.demand(c, done.id, 1, ""))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"PK\x03\x04",
        a_file(),
        a_file(a_line(), "1,2\n"),
        a_file(a_line())[:-5],
        gzip.compress(a_file(a_line()), mtime=0)[:-4],
    ],
)
def test_a_broken_file_places_nothing_and_says_why(importing: Importing, file: bytes) -> None:
    with pytest.raises(UnusableFile) as refused:
        importing.take(file)
    [view], _ = importing.database.read(lambda c: queries.list_imports(c, 10, ""))
    assert (view.status, view.failure_message) == (ImportStatus.REFUSED, refused.value.message)
    importing.go_on()
    assert importing.count("import_rows") == importing.count("orders") == 0


def test_a_file_that_turns_out_to_be_broken_at_its_very_end_places_nothing(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STAGE_ROWS", 10)
    with pytest.raises(UnusableFile, match="Line 102"):
        importing.take(a_file(*(a_line(str(place)) for place in range(100)), "broken\n"))
    assert importing.count("import_rows") == 0


def test_a_file_that_is_too_large_places_nothing(importing: Importing) -> None:
    file = a_file(*(a_line(str(place)) for place in range(1_000)))
    for packed in (file, gzip.compress(file)):
        with pytest.raises(FileTooLarge):
            importing.take(packed, max_bytes=len(file) - 1)
    assert importing.count("import_rows") == 0


def test_no_more_orders_are_unfinished_at_once_than_allowed(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PLACE_ORDERS", 10)
    throttled = Importing(importing.database, in_flight=25)
    import_id = throttled.take(a_month(100)[0])
    most = 0
    while throttled.see(import_id).finished_at is None:
        throttled.go_on()
        most = max(most, throttled.end_orders())
    assert 10 <= most <= 25
    assert throttled.see(import_id).terminal_orders == 100


def test_an_order_that_fails_is_counted_as_what_it_is(importing: Importing) -> None:
    import_id = importing.take(a_month(20)[0])
    importing.go_on()
    assert importing.see(import_id).orders_by_status == {"PENDING": 20}
    importing.end_orders("FAILED")
    assert importing.finish(import_id).orders_by_status == {"FAILED": 20}


def test_a_cancelled_import_places_no_more_and_can_be_resumed_without_its_file(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PLACE_ORDERS", 10)
    throttled = Importing(importing.database, in_flight=10)
    import_id = throttled.take(a_month(50)[0])
    throttled.go_on()
    for _ in range(2):  # again and again
        throttled.database.write(lambda c: commands.cancel_import(c, import_id))
    throttled.end_orders()
    throttled.go_on()
    assert throttled.see(import_id).status is ImportStatus.CANCELLED
    assert throttled.count("orders") == 10
    for _ in range(2):
        throttled.database.write(lambda c: commands.resume_import(c, import_id))
    assert throttled.finish(import_id).orders_by_status == {"COMPLETED": 50}
    acts = throttled.database.read(lambda c: rows_of(c, "SELECT action, subject FROM audit ORDER BY id"))
    assert [tuple(act) for act in acts] == [
        (action, import_id) for action in ("import_orders", "cancel_import", "resume_import")
    ]


def test_an_import_cancelled_while_it_is_checked_can_be_resumed(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "CHECK_ROWS", 50)
    import_id = importing.take(a_month(20)[0])
    commands.check_next(importing.database, importing.shelf, import_id)
    importing.database.write(lambda c: commands.cancel_import(c, import_id))
    importing.go_on()
    assert importing.count("orders") == 0
    importing.database.write(lambda c: commands.resume_import(c, import_id))
    assert importing.finish(import_id).terminal_orders == 20


def test_what_has_ended_can_neither_be_cancelled_nor_does_resuming_it_change_anything(importing: Importing) -> None:
    done = importing.finish(importing.take(a_file(a_line())))
    with pytest.raises(ImportNotCancellable):
        importing.database.write(lambda c: commands.cancel_import(c, done.id))
    importing.database.write(lambda c: commands.resume_import(c, done.id))
    assert importing.see(done.id) == done


def test_what_was_refused_cannot_be_resumed(importing: Importing) -> None:
    with pytest.raises(UnusableFile):
        importing.take(b"")
    [view], _ = importing.database.read(lambda c: queries.list_imports(c, 10, ""))
    with pytest.raises(ImportNotResumable):
        importing.database.write(lambda c: commands.resume_import(c, view.id))


def test_there_is_no_import_that_was_not_made(importing: Importing) -> None:
    unknown = "0190b6b2-0000-7000-8000-000000000000"
    for ask in (queries.get_import, commands.cancel_import, commands.resume_import):
        with pytest.raises(NotFound):
            importing.database.write(lambda c, ask=ask: ask(c, unknown))  # type: ignore[misc]


def test_imports_are_listed_newest_first_page_by_page(importing: Importing) -> None:
    made = [importing.take(a_file(a_line(str(place)))) for place in range(5)]
    found: list[str] = []
    token = ""
    while True:
        page, token = importing.database.read(lambda c, token=token: queries.list_imports(c, 2, token))  # type: ignore[misc]
        found += [view.id for view in page]
        if not token:
            break
    assert found == made[::-1]


def test_an_import_can_be_cancelled_before_its_file_is_whole(importing: Importing) -> None:
    def cancelled() -> Iterator[bytes]:
        yield a_file(a_line())
        [view], _ = importing.database.read(lambda c: queries.list_imports(c, 1, ""))
        importing.database.write(lambda c: commands.cancel_import(c, view.id))
        yield a_line("2").encode()

    with pytest.raises(UploadBrokeOff):
        importing.take(cancelled())
    importing.go_on()
    assert importing.count("import_rows") == importing.count("orders") == 0


def test_an_upload_that_falls_silent_is_given_up_and_its_rows_go(importing: Importing) -> None:
    def broken() -> Iterator[bytes]:
        yield a_file(*(a_line(str(place)) for place in range(20_000)))
        with importing.database.begin() as connection:
            run_sql(connection, "UPDATE imports SET touched_at = now() - interval '1 hour'")
        commands.tidy(importing.database)
        yield a_line().encode() * 20_000

    with pytest.raises(UploadBrokeOff):
        importing.take(broken())
    [view], _ = importing.database.read(lambda c: queries.list_imports(c, 10, ""))
    assert view.status is ImportStatus.REFUSED
    assert importing.count("import_rows") == 0


def test_what_ended_imports_leave_behind_is_dropped_after_a_week(importing: Importing) -> None:
    kept = importing.finish(importing.take(a_file(a_line("1"), a_line("2", quantity="0"))))
    importing.finish(importing.take(a_file(a_line("3", quantity="0")), dry_run=True))
    cancelled = importing.take(a_file(a_line("4")))
    importing.database.write(lambda c: commands.cancel_import(c, cancelled))
    commands.tidy(importing.database)
    assert (importing.count("import_rejects"), importing.count("import_rows")) == (2, 1)
    with importing.database.begin() as connection:
        run_sql(connection, "UPDATE imports SET finished_at = :past", past=clock.now() - timedelta(days=8))
    commands.tidy(importing.database)
    for table in ("import_rows", "import_orders", "import_demand", "import_rejects"):
        assert importing.count(table) == 0
    assert importing.see(kept.id).orders == 1
    with pytest.raises(ImportNotResumable):
        importing.database.write(lambda c: commands.resume_import(c, cancelled))


def test_an_import_that_cannot_go_on_holds_up_no_other(importing: Importing) -> None:
    importing.shelf.not_told.add("STUCK")
    stuck, fine = importing.take(a_file(a_line("1", "STUCK"))), importing.take(a_file(a_line("2")))
    assert importing.finish(fine).orders == 1
    assert importing.see(stuck).status is ImportStatus.CHECKING
    importing.shelf.not_told.clear()
    assert importing.finish(stuck).orders == 1


def test_nothing_is_placed_while_the_outbox_is_full_and_nothing_is_rejected_for_it(importing: Importing) -> None:
    import_id = importing.take(a_file(a_line()))
    importing.placing.backlog.limit = 0
    for _ in range(5):
        importing.go_on()
    seen = importing.see(import_id)
    assert (seen.status, seen.orders, seen.rejected_orders, seen.placed_orders) == (ImportStatus.PLACING, 1, 0, 0)


def test_a_real_month_has_the_facts_that_are_known_of_it(importing: Importing, shared: Path) -> None:
    file = shared / "data" / "online-retail" / "orders-2010-12.csv.gz"
    done = importing.finish(importing.take(file.read_bytes(), source="online-retail"))
    assert (done.rows, done.orders, done.rejected_orders, done.rejected_rows) == (42_481, 1_400, 625, 16_321)
    stored = importing.database.read(
        lambda c: rows_of(
            c,
            "SELECT sum(total_minor) AS total, sum(jsonb_array_length(items)) AS lines,"
            " count(DISTINCT customer_id) AS customers,"
            " count(*) FILTER (WHERE placed_at::date = '2010-12-07') AS on_7th"
            " FROM orders",
        )
    )[0]
    assert (stored.total, stored.lines, stored.customers, stored.on_7th) == (57_271_389, 26_160, 885, 71)
