"""The dashboards that Grafana reads are those that the code draws."""

import json
from pathlib import Path

import pytest

from deploy.monitoring.boards.__main__ import DASHBOARDS, main
from deploy.monitoring.boards.drawing import Board, drawn, panel
from deploy.monitoring.boards.pages import BOARDS


def test_what_is_committed_is_what_is_drawn() -> None:
    written = {file.name: file.read_text() for file in DASHBOARDS.iterdir()}
    assert written == {f"{board.name}.json": drawn(board) for board in BOARDS}, "python -m deploy.monitoring.boards"


def test_they_are_written_where_they_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new")]) == 0
    assert len(list((tmp_path / "new").glob("*.json"))) == len(BOARDS)
    assert f"{len(BOARDS)} dashboards" in capsys.readouterr().out


def test_too_many_folders_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["one", "two"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_stand_beside_each_other_each_with_a_title_of_its_own(board: Board) -> None:
    panels = json.loads(drawn(board))["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels)


def test_each_line_of_a_panel_has_a_letter() -> None:
    page = json.loads(drawn(Board("one", "One", [panel("Two lines", "s", ("a", "first"), ("b", "second"))])))
    [drawn_panel] = page["panels"]
    assert [(line["refId"], line["expr"]) for line in drawn_panel["targets"]] == [("A", "a"), ("B", "b")]
    assert page["uid"] == "order-system-one"
