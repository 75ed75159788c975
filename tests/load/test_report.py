"""The report is whole: charts that any reader of SVG takes, a page that asks for nothing else, and JSON."""

import json
from pathlib import Path
from xml.etree import ElementTree

from tests.load import report
from tests.load.answers import Answer, Answers
from tests.load.bars import Bar, Found
from tests.load.chart import Chart, ticks
from tests.load.run import Outcome, write_products
from tests.load.scenarios import last_piece, ramp, seconds_of, soak
from tests.load.watch import Sample, Weight


def an_outcome(is_met: bool = True, strangers: float = 0.0) -> Outcome:
    answers = Answers([Answer(1000 * number, "place", 201, 20.0 + number, "") for number in range(60)])
    samples = [
        Sample(float(at), {"gateway": Weight(80.0 + at, 30, 9)}, {"gateway": at / 2}, at * strangers)
        for at in range(1, 60)
    ]
    found = Found(answers, samples, {("COMPLETED", ""): 60}, {}, 0, [])
    return Outcome(soak(60, 1), found, [Bar("p95 <of> placing", "77", "<= 500", is_met)])


def test_a_chart_is_whole_svg_whatever_its_names_hold() -> None:
    chart = Chart("a < b & c", "ms", {"p<50>": [(0, 1), (10, 5)], "none": []}, {"500 ms": 500, "6 ms": 6})

    drawn = ElementTree.fromstring(chart.svg())

    words = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert {"a < b & c", "p<50>", "6 ms"} <= set(words)
    assert "500 ms" not in words, "a bar far above would press the lines flat"


def test_an_empty_chart_is_one_too() -> None:
    assert ElementTree.fromstring(Chart("nothing", "", {}).svg()) is not None


def test_ticks_are_round_and_few() -> None:
    assert ticks(7.3) == [0, 2, 4, 6]
    assert ticks(162) == [0, 50, 100, 150]
    assert all(3 <= len(ticks(most)) <= 8 for most in (0.4, 1, 13, 999, 12_345))


def test_a_report_is_a_page_that_asks_for_nothing_else(tmp_path: Path) -> None:
    report.write([an_outcome()], tmp_path)

    page = (tmp_path / "report.html").read_text()
    assert "p95 &lt;of&gt; placing" in page
    assert "All bars met" in page
    assert page.count("<svg") == 6
    assert "src=" not in page
    assert "href=" not in page


def test_a_report_says_what_was_missed(tmp_path: Path) -> None:
    report.write([an_outcome(is_met=False)], tmp_path)

    assert "Bars missed: 1" in (tmp_path / "report.html").read_text()
    [scenario] = json.loads((tmp_path / "report.json").read_text())["scenarios"]
    assert not scenario["is_met"]
    assert scenario["lines"]["memory"]["gateway"]


def test_figures_of_a_machine_that_others_use_say_so() -> None:
    assert "UNDER OTHER LOAD: others took 80% of a core" in "\n".join(report.told(an_outcome(strangers=0.8)))
    assert "UNDER" not in "\n".join(report.told(an_outcome(strangers=0.1)))


def test_a_row_of_the_table_has_bar_and_verdict() -> None:
    rows = report.told(an_outcome(is_met=False))

    assert any(row.endswith("<= 500, MISSED") for row in rows)


def test_durations_are_read_as_people_write_them() -> None:
    assert [seconds_of(text) for text in ("15m", "90s", "1h30m")] == [900, 90, 5400]
    assert (ramp().seconds, last_piece(2).settings["ROUNDS"]) == (150, "2")


def test_products_are_taken_from_a_months_clean_lines(tmp_path: Path) -> None:
    month, products = tmp_path / "month.csv", tmp_path / "products.csv"
    month.write_text(
        "StockCode,Description,UnitPrice\n85123A,A LAMP,2.55\nPOST,POSTAGE,18.00\n85123A,LAMP,2.95\n22423,,1.00\n"
        "84879,A BIRD,0.00\n84880,A BIRD,1.69\n"
    )

    assert write_products(month, products) == ["85123A", "84880"]
    assert products.read_text().splitlines()[1] == "85123A,A LAMP,2.55,10000000"
