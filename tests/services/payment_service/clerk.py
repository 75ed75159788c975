"""A payment service in a process of its own, for tests that kill it: takes in the record on its standard input."""

import json
import os
import sys

from payment_service.domain import Status
from tests.services.payment_service.desk import Desk, a_policy
from tests.waiting import until


def main() -> int:
    """Take the record in, and wait until its payment has come to its end."""
    order = sys.argv[1]
    desk = Desk(json.loads(os.environ["URLS"]), a_policy()).open()
    desk.hear_again([sys.stdin.buffer.read()])
    is_ended = until(
        lambda: desk.books.status(order) in (Status.CAPTURED, Status.VOIDED) and not desk.books.open_calls()
    )
    desk.close()
    return 0 if is_ended else 1


if __name__ == "__main__":
    sys.exit(main())
