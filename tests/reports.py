"""I10: leaderboards and KPIs are what the orders come to; asked at a quiet moment, nothing found is well.

Worked out anew in plain SQL and plain Python, past the functions that the system itself counts with.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

Ranking = dict[str, tuple[int, int]]
"""By customer: spent and orders. By SKU: units and revenue."""

_PREFIX: Final = "orders:{reports}"
_CUSTOMERS: Final = """
SELECT customer_id, sum(total_minor - refunded_minor), count(*) FROM orders.orders WHERE status = 'COMPLETED' GROUP BY 1
"""
_ORDERS: Final = "SELECT id, items, total_minor FROM orders.orders WHERE status = 'COMPLETED'"
_REFUNDS: Final = "SELECT order_id, amount_minor, items FROM orders.refunds WHERE status = 'SUCCEEDED'"
_KPIS: Final = """
SELECT COALESCE(sum(total_minor - refunded_minor), 0), count(*), count(DISTINCT customer_id) FROM orders.orders
WHERE status = 'COMPLETED'
    AND CAST(placed_at AT TIME ZONE 'UTC' AS date) BETWEEN CAST(:first AS date) AND CAST(:last AS date)
"""
_REVISION: Final = """
SELECT (SELECT generation FROM orders.report_state), COALESCE(max(revision), 0) FROM orders.report_days
WHERE day BETWEEN CAST(:first AS date) AND CAST(:last AS date)
"""


def wrong_reports(connection: Connection, redis: Any) -> list[str]:
    """A sentence for each figure in the totals, in Redis or in the cache that is not what the orders come to.

    `connection` may read the schema `orders`; `redis` is a synchronous client.
    """
    plain = {"customers": plain_customers(connection), "products": plain_products(connection)}
    found = [*_unfinished(connection)]
    is_published = redis.get(f"{_PREFIX}:edition") is not None
    if not is_published:
        found.append("no edition is published in redis")
    for board, right in plain.items():
        found += _differences(f"totals of {board}", right, _totals(connection, board))
        if is_published:
            found += _differences(f"{board} in redis", right, in_redis(redis, board))
    return [*found, *_wrong_cache(connection, redis)]


def plain_customers(connection: Connection) -> Ranking:
    """What customers spent and how many orders of theirs were completed, from the orders alone."""
    return {row[0]: (int(row[1]), row[2]) for row in connection.execute(text(_CUSTOMERS))}


def plain_products(connection: Connection) -> Ranking:
    """Pieces and revenue of every product, from the orders and their refunds alone."""
    refunded: Counter[str] = Counter()
    returned: dict[str, Counter[str]] = defaultdict(Counter)
    for order_id, amount_minor, items in connection.execute(text(_REFUNDS)):
        refunded[str(order_id)] += amount_minor
        returned[str(order_id)].update(items)
    units: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    for order_id, items, _ in connection.execute(text(_ORDERS)):
        for sku, (pieces, minor) in what_stays(items, refunded[str(order_id)], returned[str(order_id)]).items():
            units[sku] += pieces
            revenue[sku] += minor
    return {sku: (units[sku], revenue[sku]) for sku in units}


def what_stays(lines: list[dict[str, Any]], refunded_minor: int, returned: Mapping[str, int]) -> Ranking:
    """Pieces and money that stay sold, by SKU, of an order of which so much money and these pieces went back.

    The money goes to the pieces that came back, at most their price, then to all that is left, each in proportion.
    """
    pieces: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for line in lines:
        pieces[line["sku"]] += line["quantity"]
        minor[line["sku"]] += line["quantity"] * line["unit_price_minor"]
    is_all = refunded_minor == minor.total()
    back = {sku: pieces[sku] if is_all else min(pieces[sku], returned.get(sku, 0)) for sku in pieces}
    price_of_back = {sku: minor[sku] * back[sku] // pieces[sku] for sku in pieces}
    for_back = min(refunded_minor, sum(price_of_back.values()))
    shares = _shared_out(for_back, price_of_back)
    left = {sku: minor[sku] - price_of_back[sku] for sku in pieces}
    rest = _shared_out(refunded_minor - for_back, left)
    return {sku: (pieces[sku] - back[sku], minor[sku] - shares[sku] - rest[sku]) for sku in pieces}


def _shared_out(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole parts in proportion, which add up to the amount: each ends where the sum of weights so far lies."""
    whole, so_far, given = sum(weights.values()), 0, 0
    shares = dict.fromkeys(weights, 0)
    for sku in sorted(weights, key=str.encode):
        so_far += weights[sku]
        upto = amount * so_far // whole if whole else 0
        shares[sku], given = upto - given, upto
    return shares


def in_redis(redis: Any, board: str) -> Ranking:
    """What the published edition of a board says."""
    edition = redis.get(f"{_PREFIX}:edition")
    first, second = {"customers": ("spent", "orders"), "products": ("units", "revenue")}[board]
    key = f"{_PREFIX}:{edition.decode()}:{board}"
    seconds = dict(redis.zrange(f"{key}:{second}", 0, -1, withscores=True))
    firsts = redis.zrange(f"{key}:{first}", 0, -1, withscores=True)
    return {member.decode(): (int(score), int(seconds.get(member, -1))) for member, score in firsts}


def _totals(connection: Connection, board: str) -> Ranking:
    columns = {"customers": "customer_id, spent_minor, orders", "products": "sku, units, revenue_minor"}[board]
    sql = f"SELECT {columns} FROM orders.report_{board} JOIN orders.report_state USING (generation)"
    return {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(text(sql))}


def _unfinished(connection: Connection) -> Iterator[str]:
    for table in ("report_marks", "report_changes"):
        rows = connection.execute(text(f"SELECT count(*) FROM orders.{table}")).scalar_one()
        if rows:
            yield f"{table} has {rows} rows: this is no quiet moment"
    sql = "SELECT generation > 0 AND building IS NULL AND is_published FROM orders.report_state"
    if not connection.execute(text(sql)).scalar():
        yield "the boards are not built, or not published"


def _differences(what: str, right: Ranking, found: Ranking) -> list[str]:
    members = sorted(right.keys() | found.keys())
    return [
        f"{what}: {each} is {found.get(each)}, and should be {right.get(each)}"
        for each in members
        if right.get(each) != found.get(each)
    ]


def _wrong_cache(connection: Connection, redis: Any) -> Iterator[str]:
    """Only what lies under the present revision of its days may be read any more."""
    prefix = f"{_PREFIX}:cache:kpis:"
    for key in redis.scan_iter(match=f"{prefix}*"):
        first, last, generation, revision = key.decode().removeprefix(prefix).split(":")
        present = connection.execute(text(_REVISION), {"first": first, "last": last}).one()
        if (str(present[0]), str(present[1])) != (generation, revision):
            continue
        right = tuple(int(figure) for figure in connection.execute(text(_KPIS), {"first": first, "last": last}).one())
        kept = orjson.loads(redis.get(key))
        found = (kept["revenue_minor"], kept["orders"], kept["unique_customers"])
        if found != right:
            yield f"KPIs of {first} to {last} are cached as {found}, and should be {right}"
