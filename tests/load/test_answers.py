"""k6's record is read on while it is written."""

from collections import Counter
from pathlib import Path

from tests.load.answers import Record, percentile

HEAD = "metric_name,timestamp,metric_value,name,status,extra_tags,metadata\n"


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "k6.csv"
    record = Record(file)
    assert not record.read_on().answers

    file.write_text(HEAD + "http_req_duration,1000,12.5,place,201,of=3,\nhttp_req_duration,1001,13")
    assert [tuple(answer) for answer in record.read_on().answers] == [(1000, "place", 201, 12.5, "3")]

    with file.open("a") as stream:
        stream.write(".5,place,409,,\nvus,1002,7,,,,\ndropped_iterations,1003,2,,,,\nhttp_reqs,1003,1,,,,\n")
    answers = record.read_on()

    assert answers.statuses("place") == Counter({201: 1, 409: 1})
    assert (answers.users, answers.dropped) == ([(1002, 7.0)], 2)


def test_no_answer_at_all_is_status_0(tmp_path: Path) -> None:
    (tmp_path / "k6.csv").write_text(HEAD + "http_req_duration,1000,0,place,0,,\n")

    assert Record(tmp_path / "k6.csv").read_on().statuses("place") == Counter({0: 1})


def test_ids_are_kept_by_what_they_are_one_of(tmp_path: Path) -> None:
    (tmp_path / "k6.csv").write_text(HEAD + "told,1000,1,,,of=1&order=a,\ntold,1001,1,,,of=1&order=b,\n")

    assert Record(tmp_path / "k6.csv").read_on().ids == {"1": {"a", "b"}}


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([float(number) for number in range(1, 101)], 0.95) == 96
    assert percentile([7.0], 0.99) == 7
    assert percentile([], 0.5) == 0
