"""Does one thing with an order, in a process that may die at any step.

`… URL place|hear|cancel|refund|expire ORDER_OR_KEY`; what it hears comes on standard input, as Kafka keeps it.
"""

import sys

from order_service.jobs import Patrol
from tests.services.order_service.refunding import a_refund
from tests.services.order_service.shop import Shop, a_command


def main(url: str, what: str, name: str) -> None:
    shop = Shop(url)
    if what == "place":
        shop.ask(a_command(name, ("A", 2)))
    elif what == "hear":
        topic, _, value = sys.stdin.buffer.read().partition(b"\n")
        shop.deliver((topic.decode(), name, value))
    elif what == "cancel":
        shop.cancel(name)
    elif what == "refund":
        shop.refund(a_refund(name, "r1", 200))
    else:
        Patrol(shop.database, lambda: None).look()


if __name__ == "__main__":
    main(*sys.argv[1:])
