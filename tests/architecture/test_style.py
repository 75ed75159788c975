"""The rules of the house hold in every file, and each rule is seen to notice when it is broken."""

import pytest

from tests.architecture.sources import PACKAGES, parsed, sources
from tests.architecture.style import EDGES, style_complaints

SAYS_WHAT_IT_IS = '"""What it is for."""\n'


def test_every_file_keeps_the_rules() -> None:
    complaints = [sentence for source in sources(*PACKAGES, "tests") for sentence in style_complaints(source)]
    assert not complaints, "\n".join(complaints)


def complaints_about(path: str, text: str) -> list[str]:
    return list(style_complaints(parsed(path, SAYS_WHAT_IT_IS + text)))


def test_a_file_may_not_be_longer_than_its_room() -> None:
    assert complaints_about("chassis/app.py", "a = 1\n" * 500)
    assert not complaints_about("chassis/app.py", "a = 1\n" * 499)


def test_a_main_wires_and_runs_and_no_more() -> None:
    assert complaints_about("order_service/__main__.py", "a = 1\n" * 60)
    assert not complaints_about("order_service/__main__.py", "a = 1\n" * 59)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_may_not_be_longer_than_a_screen(kind: str) -> None:
    assert complaints_about("chassis/app.py", f"{kind} work() -> None:\n" + "    a = 1\n" * 60)
    assert not complaints_about("chassis/app.py", f"{kind} work() -> None:\n" + "    a = 1\n" * 59)


@pytest.mark.parametrize(
    "call",
    ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "time.time()", "time.time_ns()"],
)
def test_only_the_clock_reads_the_clock(call: str) -> None:
    assert complaints_about("order_service/commands.py", f"at = {call}")
    assert not complaints_about("chassis/clock.py", f"at = {call}")


def test_how_long_something_took_is_no_reading_of_the_clock() -> None:
    assert not complaints_about("gateway/rest/unary.py", "begun = time.monotonic()")


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException", " (ValueError, Exception)"])
def test_only_the_edges_catch_everything(caught: str) -> None:
    swallowed = f"try:\n    work()\nexcept{caught}:\n    pass\n"
    assert complaints_about("order_service/commands.py", swallowed)
    assert all(not complaints_about(edge, swallowed) for edge in EDGES)


def test_cleaning_up_and_raising_again_hides_nothing() -> None:
    assert not complaints_about(
        "deploy/local/stack.py", "try:\n    work()\nexcept BaseException:\n    stop()\n    raise\n"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders (id) VALUES (:id)",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone",
        "UPDATE orders SET status = 1",
        "UPDATE orders AS o SET status = 1",
        "COPY staged FROM STDIN",
    ],
)
def test_only_the_repository_writes(sql: str) -> None:
    assert complaints_about("order_service/commands.py", f"SQL = {sql!r}")
    assert not complaints_about("order_service/imports/repository.py", f"SQL = {sql!r}")


def test_reading_for_an_update_is_reading() -> None:
    assert not complaints_about("order_service/queries.py", "SQL = 'SELECT id FROM orders FOR UPDATE SKIP LOCKED'")


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "sleep(1)",
        "await_(asyncio.sleep(2))",
        "from unittest.mock import patch",
        "from unittest import mock",
        "monkeypatch.setattr(clock, 'now', later)",
    ],
)
def test_tests_neither_sleep_nor_mock(line: str) -> None:
    assert complaints_about("tests/unit/chassis/test_clock.py", line)


def test_a_test_may_make_batches_small() -> None:
    assert not complaints_about("tests/unit/chassis/test_clock.py", "monkeypatch.setattr(commands, 'CHECK_ROWS', 3)")


@pytest.mark.parametrize(("path", "line"), [("tests/bench/load.py", "time.sleep(1)"), ("tests/waiting.py", "sleep(1)")])
def test_waiting_and_pacing_may_sleep(path: str, line: str) -> None:
    assert not complaints_about(path, line)


def test_a_file_says_what_it_is_for() -> None:
    assert list(style_complaints(parsed("chassis/app.py", "a = 1")))


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "raise NotImplementedError"])
def test_unfinished_work_is_not_committed(word: str) -> None:
    assert complaints_about("chassis/app.py", f"# {word}: later")
