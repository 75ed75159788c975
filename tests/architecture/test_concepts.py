"""The picture of an order's life shows the steps that there are."""

import re
from pathlib import Path

from order_service.domain.states import NEXT_STATUSES

ROOT = Path(__file__).resolve().parents[2]
ARROW = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)


def test_the_picture_of_an_orders_life_shows_each_step_and_no_other() -> None:
    shown = {(before, after) for before, after in ARROW.findall((ROOT / "docs/concepts.md").read_text())}

    assert shown == {(str(before), str(after)) for before, following in NEXT_STATUSES.items() for after in following}
