"""What reading costs: single orders by many connections at once, and a page of a list."""

import json
import urllib.request
from collections.abc import Callable, Sequence

from tests.bench import table, wrk
from tests.bench.table import Part, row, spread

CONNECTIONS = 64
ORDERS = 1_000
LEAST_PER_SECOND = 3_000
MOST_P99_MS = 30
MOST_LIST_P50_MS = 5
_PAGE = 100


def measure(port: int, runs: int, seconds: float, say: Callable[[str], None]) -> Part:
    """The newest orders one by one, in no order, then the first page of the list, on one connection."""
    if not wrk.is_there():
        return Part(["", "Reading: not measured, for wrk is not on this machine"], {})
    one: list[wrk.Reading] = []
    pages: list[wrk.Reading] = []
    paths = [f"/api/v1/orders/{order_id}" for order_id in _newest(port)]
    for number in range(runs):
        say(f"reading, {number + 1} of {runs}")
        one.append(wrk.read(port, paths, seconds, CONNECTIONS))
        pages.append(wrk.read(port, ["/api/v1/orders"], seconds / 2, 1))
    return Part(_lines(one, pages), {"read_one": [vars(run) for run in one], "read_page": [vars(run) for run in pages]})


def _lines(one: Sequence[wrk.Reading], pages: Sequence[wrk.Reading]) -> list[str]:
    rates, slowest = [run.per_second for run in one], [run.p99 for run in one]
    page = [run.p50 for run in pages]
    return [
        "", f"Reading; {CONNECTIONS} connections for single orders, one for a list's page of 15; median (from-to)",
        row("GET /orders/{id}: answers/s", spread(rates), table.at_least(rates, LEAST_PER_SECOND, 0)),
        row("  p50, ms", spread([run.p50 for run in one], 1)),
        row("  p99, ms", spread(slowest, 1), table.at_most(slowest, MOST_P99_MS)),
        row("GET /orders: p50, ms", spread(page, 1), table.at_most(page, MOST_LIST_P50_MS)),
        row("  p99, ms", spread([run.p99 for run in pages], 1)),
        row("answers that were none of 200", f"{sum(run.broken for run in [*one, *pages])}", "0"),
    ]  # fmt: skip


def _newest(port: int) -> list[str]:
    found: list[str] = []
    token = ""
    while len(found) < ORDERS:
        url = f"http://127.0.0.1:{port}/api/v1/orders?page_size={_PAGE}&page_token={token}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            page = json.load(answer)
        found += [order["id"] for order in page["data"]]
        if not (token := page["meta"]["next_page_token"] or ""):
            break
    return found
