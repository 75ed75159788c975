"""A supplier service in a process of its own, for tests that kill it: takes in the record on its standard input."""

import json
import os
import sys

from supplier_service.domain import Delivered
from tests.services.supplier_service.desk import Desk
from tests.waiting import until


def main() -> int:
    """Take the record in, bring the news that were asked for, and wait until the supplier order has ended."""
    order, way = sys.argv[1:]
    check_seconds = 60 if way == "news" else 0.1
    desk = Desk(json.loads(os.environ["URLS"]), check_seconds, os.environ.get("SUPPLIER_URL", "")).open()
    desk.hear_again([sys.stdin.buffer.read()])
    if way == "news":
        until(lambda: "ACCEPTED" in desk.statuses(order).values())
        desk.news((desk.reference(order), Delivered()))
    has_ended = until(lambda: "DELIVERED" in desk.statuses(order).values() and not desk.open_calls())
    desk.close()
    return 0 if has_ended else 1


if __name__ == "__main__":
    sys.exit(main())
