"""The table of failpoints: the ways through the system that lead over them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from tests.chaos.customers_paths import (
    asking,
    called_back,
    calling_off,
    cancelling,
    delivered,
    importing,
    placing,
    refunding,
    retrying,
    waiting,
)
from tests.chaos.operators_paths import (
    discarded,
    expiring,
    forgetting,
    holding,
    offering,
    pricing,
    receiving,
    reconciling,
    replayed,
    resuming,
    retried,
    settling,
    sweeping,
)
from tests.chaos.scene import Scene

Path = Callable[[Scene], Iterator[None]]
"""Makes ready, yields, and goes the path to its end."""

PATHS: Final[Mapping[str, Sequence[Path]]] = {
    "orders.place.": (placing,),
    "orders.consumer.": (placing,),
    "orders.orders.": (placing,),
    "orders.orders.before_commit": (placing, waiting, cancelling, expiring, refunding),
    "orders.orders.prices.": (pricing,),
    "orders.orders.prices.retry.": (retried,),
    "orders.orders.retry.": (retried, replayed),
    "orders.prices.": (pricing,),
    "orders.save.": (placing,),
    "orders.relay.": (placing,),
    "orders.cancel.": (cancelling, calling_off),
    "orders.chase.": (expiring,),
    "orders.refund.": (refunding,),
    "orders.resume.": (resuming,),
    "orders.imports.": (importing,),
    "orders.discard.": (discarded,),
    "orders.forget.": (forgetting,),
    "inventory.consumer.": (placing,),
    "inventory.inventory.": (placing,),
    "inventory.inventory.before_commit": (placing, waiting, calling_off, refunding),
    "inventory.inventory.retry.": (retried,),
    "inventory.relay.": (placing,),
    "inventory.stockroom.": (placing, receiving),
    "inventory.stockroom.before_tell": (placing, receiving, holding, sweeping),
    "inventory.catalogue.": (offering,),
    "inventory.discard.": (discarded,),
    "payments.consumer.": (placing,),
    "payments.payments.": (placing,),
    "payments.payments.before_commit": (placing, expiring),
    "payments.payments.retry.": (retried,),
    "payments.relay.": (placing,),
    "payments.save.": (placing,),
    "payments.call.": (placing,),
    "payments.call.after": (placing, asking, cancelling, refunding),
    "payments.calls.": (placing,),
    "payments.record.": (placing,),
    "payments.record.before_commit": (placing, asking, cancelling, refunding),
    "payments.begin.": (retrying,),
    "payments.command.": (called_back, settling),
    "payments.differences.": (reconciling,),
    "payments.discard.": (discarded,),
    "payments_simulator.": (placing, refunding),
    "suppliers.consumer.": (waiting,),
    "suppliers.suppliers.": (waiting,),
    "suppliers.suppliers.before_commit": (waiting, calling_off),
    "suppliers.suppliers.retry.": (retried,),
    "suppliers.relay.": (waiting,),
    "suppliers.save.": (waiting,),
    "suppliers.call.": (waiting,),
    "suppliers.call.after": (waiting, calling_off),
    "suppliers.calls.": (waiting,),
    "suppliers.record.": (waiting,),
    "suppliers.news.": (delivered,),
    "suppliers.discard.": (discarded,),
    "suppliers_simulator.": (waiting,),
}
"""By how the names of failpoints begin, the paths on which they lie; the longest beginning counts."""


def paths_of(point: str) -> Sequence[Path]:
    """The paths on which a failpoint lies; none for one that nobody has thought of yet."""
    known = [beginning for beginning in PATHS if point.startswith(beginning)]
    return PATHS[max(known, key=len)] if known else ()
