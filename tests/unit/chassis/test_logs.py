"""Log lines: one JSON object each, the same form whoever writes it, without secrets."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import orjson
import pytest
import structlog

from chassis import tracing
from chassis.logs import configure_logs, get_logger

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = io.BytesIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stdout(io.TextIOWrapper(written)):
        configure_logs("orders", "INFO")
        yield lambda: [orjson.loads(line) for line in written.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_a_line_says_when_how_grave_what_who_and_in_which_trace(lines: Lines) -> None:
    traceparent = tracing.new_traceparent()
    token = tracing.current.set(traceparent)
    get_logger("chassis.somewhere").info("batch", size=3)
    tracing.current.reset(token)

    [line] = lines()
    assert list(line)[:5] == ["ts", "level", "event", "service", "trace_id"]
    assert line["ts"].endswith("+00:00")
    assert line["level"] == "info"
    assert line["event"] == "batch"
    assert line["service"] == "orders"
    assert line["trace_id"] == tracing.trace_id_of(traceparent)
    assert line["module"] == "chassis.somewhere"
    assert line["size"] == 3


def test_a_trace_that_is_given_wins_over_the_present_one(lines: Lines) -> None:
    token = tracing.current.set(tracing.new_traceparent())
    get_logger("chassis").info("batch", trace_id="abc")
    tracing.current.reset(token)

    assert lines()[0]["trace_id"] == "abc"


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    get_logger("chassis").debug("too small")

    assert lines() == []


def test_secrets_are_hidden_by_name_and_in_urls_however_deep(lines: Lines) -> None:
    get_logger("chassis").info(
        "connected to redis://:hush@host", token="hush", headers={"Authorization": "hush", "urls": ["a://b:hush@c"]}
    )

    [line] = lines()
    assert "hush" not in str(line)
    assert line["headers"]["Authorization"] == "***"


def test_an_exception_brings_its_stack(lines: Lines) -> None:
    try:
        raise ZeroDivisionError("of postgresql://orders:hush@host/db")
    except ZeroDivisionError:
        get_logger("chassis").exception("job failed")

    [line] = lines()
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert "postgresql://orders:***@host/db" in line["exception"]


def test_what_json_has_no_word_for_is_written_as_text(lines: Lines) -> None:
    get_logger("chassis").info("odd", keys={1: {2}})

    assert lines()[0]["keys"] == {"1": "{2}"}


@pytest.mark.parametrize("odd", [10**30, "half a character: \ud83d", object])
def test_no_line_is_lost_whatever_is_in_it(odd: object, lines: Lines) -> None:
    get_logger("chassis").info("odd", thing=odd, size=3)

    [line] = lines()
    assert line["event"] == "odd"
    assert str(line["size"]) == "3"


def test_libraries_speak_in_the_same_form_from_warning_on(lines: Lines) -> None:
    logging.getLogger("kafka.client").info("chatter")
    logging.getLogger("kafka.client").warning("no broker at %s", "redis://:hush@host")

    [line] = lines()
    assert line["event"] == "no broker at redis://:***@host"
    assert line["level"] == "warning"
    assert line["module"] == "kafka.client"


def test_a_library_that_repeats_itself_is_heard_once_in_a_while(lines: Lines) -> None:
    for port in range(100):
        logging.getLogger("kafka.client").warning("no broker at port %d", port)

    assert len(lines()) == 1


def test_what_customers_sent_is_not_in_the_line_of_an_error(lines: Lines) -> None:
    told = "violates check\nDETAIL:  Failing row contains (anna, 12 Mill Lane)."
    try:
        raise ValueError(told)
    except ValueError as error:
        get_logger(__name__).error("a command failed", exc_info=error, error=str(error))

    [line] = lines()
    assert "Mill Lane" not in str(line)
    assert "violates check" in line["error"]
