"""For each planted bug, what brings it to light: habits of customers, settings, and faults at the right moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tests.chaos.load import Habits
from tests.chaos.schedule import TOPICS, Fault

Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Trap:
    """A bug, how to provoke it, and the invariants of which one must notice it.

    `settings` are by service. A failpoint in them widens, at each pass, a gap that is always there.
    """

    bug: str
    wakes: tuple[str, ...]
    schedule: Sequence[Fault] = ()
    habits: Habits = field(default_factory=Habits)
    settings: Settings = field(default_factory=lambda: MappingProxyType({}))


def together(traps: Sequence["Trap"]) -> Settings:
    """The settings of several traps at once."""
    settings: dict[str, dict[str, str]] = {}
    for trap in traps:
        for service, told in trap.settings.items():
            known = settings.setdefault(service, {})
            for name, value in told.items():
                both = name == "FAILPOINT" and name in known
                known[name] = f"{known[name]},{value}" if both else value
    return settings


def widened(service: str, failpoint: str, milliseconds: int) -> Settings:
    """Settings of a service that waits at a failpoint each time."""
    return {service: {"FAILPOINT": f"{failpoint}=sleep:{milliseconds}"}}


TRAPS: Final = (
    Trap("no_inbox", ("I6",), [Fault(3.0, "duplicates", topic, detail="1") for topic in TOPICS]),
    # An event that is stored late, under an id drawn early, is passed over.
    Trap("cursor", ("I5", "I6"), settings=widened("order_service", "orders.save.after_tell", 150)),
    # A look-up under the key finds nothing, and the charge is sent once more.
    Trap("charge_without_key", ("I4",), habits=Habits(methods={"sim_timeout_charged": 50, "sim_ok": 50})),
    # Goods come in between the look at a shelf and the writing.
    Trap("check_then_act", ("I1",), settings=widened("inventory_service", "inventory.stockroom.between_locks", 50)),
    # Operators ask again on behalf of cancelled orders, of which inventory hears nothing for a while. What is released
    # once more meets the ledger's key, and stays parked.
    Trap(
        "release_twice",
        ("I1", "I2", "I6"),
        [Fault(1.0, "freeze", "inventory_service", 3.0)],
        Habits(cancel_percent=90, cancel_pauses=(0.0,)),
    ),
    Trap(
        "offsets_first",
        ("I5", "I6"),
        [Fault(0.5, "failpoint", "inventory_service", detail="inventory.inventory.before_commit=crash")],
    ),
    # A void is asked for while the answer of the same payment is being written down, by who read it before.
    Trap(
        "lost_update",
        ("I3", "I5", "I6"),
        habits=Habits(methods={"sim_ok": 1}, cancel_percent=80, cancel_pauses=(0.0, 0.3, 0.6, 1.0)),
        settings=widened("payment_service", "payments.record.before_save", 1_000),
    ),
    # The goods of the younger order come first, and the supplier order of the older one is called off.
    Trap(
        "oldest_first",
        ("I13",),
        habits=Habits(scenarios=("random", "delayed_then_ok:1"), backorder_percent=90),
    ),
    # Payments is silent until the reservations' time is over, and then charges.
    Trap(
        "looking_expiry",
        ("I3",),
        [Fault(1.0, "freeze", "payment_service", 5.0)],
        settings={"inventory_service": {"RESERVATION_SECONDS": "2"}},
    ),
)
