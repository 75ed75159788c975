"""`python -m deploy.monitoring.boards [FOLDER]` writes the dashboards, for Grafana to read; here, unless told where."""

import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.monitoring.boards.drawing import drawn
from deploy.monitoring.boards.pages import BOARDS

DASHBOARDS = Path(__file__).resolve().parents[1] / "dashboards"


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    if len(arguments) > 1:
        print("usage: python -m deploy.monitoring.boards [FOLDER]", file=sys.stderr)
        return 2
    folder = Path(arguments[0]) if arguments else DASHBOARDS
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        (folder / f"{board.name}.json").write_text(drawn(board))
    print(f"{len(BOARDS)} dashboards are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
