"""What is counted of orders: steps by the state they lead to, and how long an order takes to its completion."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from chassis.metrics import counter, histogram
from order_service.domain import Order, Status
from order_service.tables import CONTEXT

_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)


class OrderMetrics:
    """Counts after the commit; a batch costs a few increments, however many orders it holds."""

    def __init__(self) -> None:
        steps = counter(CONTEXT, "total", "Orders by the state that they came to", "status")
        self._steps = {status: steps.labels(status) for status in Status}
        self._replayed = counter(CONTEXT, "replayed", "Requests for orders that were placed before")
        self._completed = histogram(
            CONTEXT, "completion_duration_seconds", "Time from placed to completed", buckets=_SECONDS
        )

    def placed(self, orders: int, replayed: int) -> None:
        """A batch of requests was stored."""
        self._steps[Status.PENDING].inc(orders)
        self._replayed.inc(replayed)

    def imported(self, orders: int) -> None:
        """A batch of an import was stored."""
        self._steps[Status.PENDING].inc(orders)

    def cancelling(self, orders: int) -> None:
        """Cancels were asked for that moved so many orders."""
        self._steps[Status.CANCELLING].inc(orders)

    def stepped(self, orders: Iterable[Order]) -> None:
        """Orders took steps."""
        steps = Counter(step.status for order in orders for step in order.steps if step.is_move)
        for status, times in steps.items():
            self._steps[status].inc(times)
        for order in orders:
            if order.status is Status.COMPLETED and order.steps[-1].is_move:
                self._completed.observe((order.at - order.created_at).total_seconds())
