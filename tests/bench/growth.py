"""What an order leaves on disk: in Postgres, in its log of changes, and in Kafka's topics."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.system import System
from tests.bench.table import Part, row

_WARM_SECONDS: Final = 3.0
_SIZES: Final = """
SELECT pg_database_size(current_database()) AS database, CAST(pg_current_wal_lsn() - '0/0' AS bigint) AS wal,
    (SELECT count(*) FROM orders.orders) AS orders
"""


@dataclass(frozen=True)
class Disk:
    """Bytes, and how many orders made them."""

    orders: int
    database: int
    wal: int
    topics: int


def measure(system: System, state: Path, seconds: float, say: Callable[[str], None]) -> Part:
    """Before and after a load that is not the first one, with all that Postgres puts off done."""
    system.saturate(_WARM_SECONDS, "respond-async")
    before = _disk(system, state)
    say("orders, to see what they leave on disk")
    system.saturate(3 * seconds, "respond-async")
    return _part(before, _disk(system, state))


def _disk(system: System, state: Path) -> Disk:
    system.at_rest()
    sizes = system.rows(_SIZES)[0]
    return Disk(sizes.orders, sizes.database, sizes.wal, _topics(state))


def _topics(state: Path) -> int:
    """Segments of our topics, one copy; not those that Kafka has for itself."""
    segments = (state / "kafka").rglob("*.log")
    return sum(file.stat().st_size for file in segments if not file.parent.name.startswith("__"))


def _part(before: Disk, after: Disk) -> Part:
    orders = after.orders - before.orders
    each = {
        name: (getattr(after, name) - getattr(before, name)) / orders for name in ("database", "wal", "topics")
    }  # fmt: skip
    lines = [
        "",
        f"What an order of three lines leaves on disk, bytes; of {orders:,} orders",
        row("  database, with its indexes", f"{each['database']:,.0f}"),
        row("  log of changes (WAL), before it is recycled", f"{each['wal']:,.0f}"),
        row("  Kafka, one copy, for the seven days of retention", f"{each['topics']:,.0f}"),
    ]
    return Part(lines, {"growth": each})
