"""The kinds of orders that a run places, and how many of each: a pattern that is gone through again and again."""

import random
from dataclasses import dataclass
from typing import Final

SHORT_SKUS: Final = 20
"""Products of a supplier that have too little on the shelf, of each scenario."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Orders that are to come to the same end; `short` names the supplier's product that stands first in them."""

    name: str
    ends: frozenset[str] = frozenset({"COMPLETED"})
    payment_method: str = "sim_ok"
    short: str = ""
    is_cancelled: bool = False

    @property
    def customer(self) -> str:
        """Begins the ids of its customers; the generators tell by it whose orders they are to cancel."""
        return "cancels" if self.is_cancelled else "c"

    @property
    def more(self) -> str:
        """Further members of the request, as JSON that follows others."""
        return ',"stock_policy":"BACKORDER"' if self.short else ""


Mix = tuple[Kind, ...]

SUPPLIED: Final = "SUPPLIED"
NEVER: Final = "NEVER"
SCENARIOS: Final = {SUPPLIED: "ok", NEVER: "delayed_forever"}
"""What the supplier says of each of the products that are short."""

_HAPPY: Final = Kind("happy")
_FAILED: Final = frozenset({"FAILED"})
# Some are completed before their customer's cancel is there.
_CANCELLED: Final = frozenset({"CANCELLED", "COMPLETED"})
_NOT_CHARGED: Final = "sim_timeout_not_charged"

HAPPY: Final[Mix] = (_HAPPY,)
UNHAPPY: Final[Mix] = tuple(
    random.Random(7).sample(
        (
            [Kind("declined", _FAILED, "sim_declined")] * 4
            + [Kind("unknown_charged", payment_method="sim_timeout_charged")]
            + [Kind("unknown_not_charged", payment_method=_NOT_CHARGED)]
            + [Kind("cancelled", _CANCELLED, is_cancelled=True)] * 2
            + [Kind("backordered", short=SUPPLIED)] * 2
            + [_HAPPY] * 30
        ),
        k=40,
    )
)
"""10 % declined, 5 % unknown, 5 % cancelled, 5 % backordered, in no regular order."""
WAITING: Final[Mix] = (Kind("backordered", short=NEVER), Kind("unknown", payment_method=_NOT_CHARGED))
"""Orders that do not end: one half waits for goods, the other for somebody to know what became of its money."""


def sku(number: int) -> str:
    """The name of one of the benchmark's products."""
    return f"BENCH-{number:03d}"


def short_sku(name: str, number: int) -> str:
    """The name of one of the products that are short."""
    return f"{name}-{number % SHORT_SKUS:02d}"
