"""What makes each alert fire, and the same system when all is well: series as promtool's unit tests write them.

Time begins at 0 and has a sample a minute, so that `NOW` is the time of day as a series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

NOW: Final = "0+60x200"
LONG_AGO: Final = "0+0x200"
"""What was done at the beginning and never again."""
HOURS: Final = "0+60x2000"


@dataclass(frozen=True)
class Case:
    """One alert: `wrong` series make it fire, `right` ones do not; `around` are the same in both."""

    alert: str
    wrong: Mapping[str, str]
    right: Mapping[str, str]
    around: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    """As the annotations write it."""
    minutes: int = 18
    """When it fires at the latest."""


def always(number: float) -> str:
    """One value for as long as the test takes."""
    return f"{number:g}+0x2000"


def each_minute(number: float) -> str:
    """A counter that grows by so much a minute."""
    return f"0+{number:g}x2000"


def done(context: str, job: str, times: str = HOURS) -> dict[str, str]:
    """The instance that does a job, and when it did it last."""
    return {f'{context}_job_done_timestamp_seconds{{job="{context}", instance="a", exported_job="{job}"}}': times}


def told(series: str, wrong: str, right: str) -> tuple[dict[str, str], dict[str, str]]:
    """A gauge of the instance that does the jobs."""
    name, _, labels = series.partition("{")
    whole = f'{name}{{instance="a"{", " + labels if labels else "}"}'
    return {whole: wrong}, {whole: right}


def by_job(
    alert: str, series: str, job: str, wrong: float, *, right: float = 0, value: str = "", minutes: int = 18,
    **labels: str,
) -> Case:  # fmt: skip
    """An alert about what a job counts."""
    context = series.partition("_")[0]
    bad, good = told(series, always(wrong), always(right))
    return Case(alert, bad, good, done(context, job), labels, value or f"{wrong:g}", minutes)


def plain(
    alert: str, series: str, wrong: str, right: str, *, value: str = "", minutes: int = 18, around: str = "",
    **labels: str,
) -> Case:  # fmt: skip
    """An alert about one series."""
    beside = {around: each_minute(6000)} if around else {}
    return Case(alert, {series: wrong}, {series: right}, beside, labels, value, minutes)


def up(*jobs: str) -> dict[str, str]:
    return {f'up{{job="{job}", instance="{job}:1"}}': always(1) for job in jobs}


_P99: Final = 'route="/api/v1/orders", method="POST"'
_WATCH: Final = 'orders_rpc_duration_seconds_bucket{method="orders.v1.OrderService/WatchOrders", le="+Inf"}'
_DELIVERED: Final = 'suppliers_supplier_order_duration_seconds_bucket{outcome="delivered", le="%s"}'
_ROWS: Final = "orders_table_rows{table="


def _processes() -> list[Case]:
    others = up("gateway", "orders", "inventory", "suppliers")
    down = 'up{job="payments", instance="payments:1"}'
    opened = 'process_open_fds{job="gateway", instance="g"}'
    return [
        Case("ServiceDown", {down: always(0)}, {down: always(1)}, others, {"job": "payments"}),
        Case("InstanceDown", {down: always(0)}, {down: always(1)},
             {**others, 'up{job="payments", instance="b"}': always(1)}, {"job": "payments", "instance": "payments:1"}),
        plain("RestartsOften", 'process_start_time_seconds{job="orders", instance="a"}', "0+1x4 4+0x2000", always(9),
              value="4", minutes=5, job="orders", instance="a"),
        *(plain(alert, f'orders_dependency_up{{dependency="{dependency}"}}', always(0), always(1), context="orders",
                dependency=dependency)
          for alert, dependency in [("DatabaseAway", "database"), ("KafkaAway", "kafka"), ("RedisAway", "redis")]),
        Case("DescriptorsRunOut", {opened: always(90)}, {opened: always(70)},
             {'process_max_fds{job="gateway", instance="g"}': always(100)}, {"job": "gateway", "instance": "g"}, "90%"),
    ]  # fmt: skip


def _orders() -> list[Case]:
    ended = 'orders_total{status="COMPLETED"}'
    unknown = 'orders_attention{instance="a", attention="payment_unknown"}'
    paying = told('orders_waiting_seconds{status="PAYMENT_PROCESSING"}', always(90), always(9))
    return [
        by_job("OrdersStuck", "orders_stuck", "census", 2),
        by_job("InventorySilent", 'orders_waiting_seconds{status="PENDING"}', "census", 90, right=30, status="PENDING"),
        Case("PaymentsSilent", {**paying[0], unknown: always(0)}, {**paying[0], unknown: always(1)},
             done("orders", "census"), {"status": "PAYMENT_PROCESSING"}, "90", minutes=8),
        by_job("UndoingTakesLong", 'orders_waiting_seconds{status="CANCELLING"}', "census", 400, right=200,
               status="CANCELLING"),
        by_job("PaymentUnknown", 'orders_attention{attention="payment_unknown"}', "census", 5,
               attention="payment_unknown"),
        by_job("PaymentUnknownForLong", 'payments_unknown{age="under a day"}', "unknown payments", 1,
               age="under a day"),
        by_job("PaymentNeedsOperator", 'orders_attention{attention="payment_operator"}', "census", 1,
               attention="payment_operator"),
        by_job("RefundFailed", 'orders_attention{attention="refund_failed"}', "census", 1, attention="refund_failed"),
        by_job("SupplierUnreachable", 'orders_attention{attention="supplier_unreachable"}', "census", 3,
               attention="supplier_unreachable"),
        plain("RequestsSentAgain", 'orders_requests_sent_again_total{status="PENDING"}', each_minute(120),
              each_minute(30), value="2", status="PENDING"),
        plain("NothingIsCompleted", ended, always(7), each_minute(5), around='orders_total{status="PENDING"}',
              value="100"),
        Case("PlacingIsSlow", _buckets("gateway_http_request_duration_seconds", _P99, 50),
             _buckets("gateway_http_request_duration_seconds", _P99, 100),
             {}, {"route": "/api/v1/orders", "method": "POST"}, "2.47"),
    ]  # fmt: skip


def _buckets(name: str, labels: str, quick: float) -> dict[str, str]:
    """A hundred a minute, so many of them within a second, the rest within 2.5 s."""
    return {
        f'{name}_bucket{{{labels}, le="1"}}': each_minute(quick),
        f'{name}_bucket{{{labels}, le="2.5"}}': each_minute(quick + (100 - quick) * 100 / 100),
        f'{name}_bucket{{{labels}, le="+Inf"}}': each_minute(100),
    }


def _messages() -> list[Case]:
    rows = f'{_ROWS}"dead_letters"}}'
    lag = 'inventory_consumer_lag{consumer="inventory", topic="orders.events", partition="%d"}'
    return [
        by_job("DeadLetters", 'inventory_consumer_parked{consumer="inventory"}', "inventory retries", 4,
               context="inventory", consumer="inventory"),
        by_job("DeadLettersPileUp", rows, "table sizes", 200_000, value="200k", context="orders",
               table="dead_letters"),
        plain("OutboxAge", "payments_outbox_age_seconds", always(30), always(3), value="30", context="payments"),
        plain("OutboxDepth", "payments_outbox_depth", always(1_500_000), always(900_000), value="1.5M",
              context="payments"),
        plain("OutboxFull", "orders_outbox_depth", always(2_000_000), always(1_000_000), value="2M", minutes=0,
              context="orders"),
        Case("ConsumerLag", {lag % 0: always(7_000), lag % 1: always(5_000)},
             {lag % 0: always(7_000), lag % 1: always(50)}, {},
             {"context": "inventory", "consumer": "inventory"}, "12k"),
    ]  # fmt: skip


def _outside() -> list[Case]:
    slower = {_DELIVERED % "60": "0+100x1440 144000+0x500", _DELIVERED % "300": each_minute(100),
              _DELIVERED % "+Inf": each_minute(100)}  # fmt: skip
    steady = {_DELIVERED % edge: each_minute(100) for edge in ("60", "300", "+Inf")}
    oldest = "suppliers_oldest_open_supplier_order_seconds{status="
    return [
        plain("PartyLeftAlone", 'payments_outside_breaker_open{party="provider"}', "0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
              always(0), minutes=12, context="payments", party="provider"),
        by_job("SupplierOrdersUnanswered", f'{oldest}"REQUESTED"}}', "open supplier orders", 600, right=200,
               value="10m 0s", status="REQUESTED"),
        by_job("GoodsAreLate", f'{oldest}"ACCEPTED"}}', "open supplier orders", 90_000, right=50_000,
               value="1d 1h 0m 0s", status="ACCEPTED"),
        Case("SuppliersSlowDown", slower, steady, {}, {}, "4m 48s", minutes=1440 + 95),
        plain("WebhooksBadlySigned", 'payments_webhooks_total{outcome="bad_signature"}', each_minute(60), always(5),
              value="1", context="payments", outcome="bad_signature"),
        plain("WebhooksUnknown", 'suppliers_webhooks_total{outcome="unknown_reference"}', each_minute(120),
              each_minute(6), value="2", context="suppliers", outcome="unknown_reference"),
    ]  # fmt: skip


def _tables() -> list[Case]:
    inbox = 'orders_table_rows{instance="a", table="inbox"}'
    calls = 'payments_table_rows{instance="a", table="calls"}'
    staged = 'orders_table_rows{instance="a", table="import_rows"}'
    sizes = done("orders", "table sizes")
    return [
        Case("InboxNotTidied", {inbox: always(90_000_000)}, {inbox: always(2_000_000)},
             {**sizes, 'orders_consumer_received_total{consumer="orders"}': each_minute(1000)},
             {"context": "orders", "table": "inbox"}, "90M", minutes=100),
        Case("CallsPileUp", {calls: "2000+0.5x2000"}, {calls: "2000-0.5x2000"}, done("payments", "table sizes"),
             {"context": "payments", "table": "calls"}, "2.06k", minutes=120),
        Case("ImportStuck", {staged: always(500)}, {staged: "500000-10x2000"}, sizes,
             {"context": "orders", "table": "import_rows"}, "500", minutes=100),
    ]  # fmt: skip


def _books() -> list[Case]:
    return [
        by_job("StockDifference", "inventory_ledger_difference_pieces", "ledger", 3, minutes=1),
        by_job("HeldStockDifference", "inventory_held_difference_pieces", "held stock", 3, minutes=1),
        by_job("ProviderBooksDiffer", "payments_ledger_differences", "reconciliation", 2),
    ]


def _callers() -> list[Case]:
    http = 'gateway_http_requests_total{code="%s", route="/api/v1/orders", method="POST"}'
    rpcs = 'orders_rpc_requests_total{code="%s", method="orders.v1.OrderService/GetOrder"}'
    slow = 'method="orders.v1.OrderService/GetOrder"'
    return [
        plain("HttpUnavailable", http % "503", each_minute(60), always(5), value="1", code="503"),
        plain("HttpErrors", http % "500", each_minute(6000), each_minute(6), around=http % "201", value="50%"),
        plain("RpcErrors", rpcs % "INTERNAL", each_minute(6000), each_minute(6), around=rpcs % "OK", value="50%",
              context="orders"),
        plain("RpcOverload", rpcs % "UNAVAILABLE", each_minute(6000), each_minute(6), around=rpcs % "OK", value="50%",
              context="orders"),
        Case("RpcSlow", _slow_rpc(slow), {_WATCH: each_minute(100)}, {},
             {"context": "orders", "method": "orders.v1.OrderService/GetOrder"}, "4.975"),
        plain("TokensRefused", http % "401", "0+6x60 360+6000x100", each_minute(6000), value="100", minutes=72,
              code="401"),
        plain("ManyBeyondTheirLimit", 'gateway_rate_limit_refusals_total{limit="caller"}', each_minute(600),
              each_minute(60), value="10", context="gateway"),
        plain("LimitsWithoutRedis", 'gateway_rate_limited_requests_total{by="process"}', each_minute(60), always(4),
              value="1", context="gateway", by="process"),
        plain("GatewayOverloaded", "gateway_http_requests_refused_total", each_minute(60), always(4), value="1"),
    ]  # fmt: skip


def _slow_rpc(labels: str) -> dict[str, str]:
    return {
        f'orders_rpc_duration_seconds_bucket{{{labels}, le="2.5"}}': each_minute(0),
        f'orders_rpc_duration_seconds_bucket{{{labels}, le="5"}}': each_minute(100),
        f'orders_rpc_duration_seconds_bucket{{{labels}, le="+Inf"}}': each_minute(100),
    }


def _figures() -> list[Case]:
    return [
        by_job("ReportsBehind", "orders_report_marks_age_seconds", "reports", 45, right=2),
        by_job("LeaderboardsBehind", "orders_report_changes_age_seconds", "reports", 90, right=2),
        by_job("LeaderboardsAway", "orders_report_boards_published", "reports", 0, right=1),
    ]


def _jobs() -> list[Case]:
    late = told('orders_job_lag_seconds{exported_job="census"}', always(45), always(1))
    seldom, often = done("inventory", "held stock", LONG_AGO), done("orders", "census", LONG_AGO)
    return [
        Case("JobsLate", *late, done("orders", "census"), {"context": "orders", "exported_job": "census"}, "45"),
        Case("JobNotDone", often, done("orders", "census"), {}, {"context": "orders", "exported_job": "census"},
             "18m 0s"),
        Case("HourlyJobNotDone", seldom, done("inventory", "held stock"), {},
             {"context": "inventory", "exported_job": "held stock"}, "3h 20m 0s", minutes=200),
        plain("JobFails", 'orders_job_failures_total{exported_job="census"}', each_minute(1), always(2), value="15",
              context="orders", exported_job="census"),
    ]  # fmt: skip


CASES: Final[Sequence[Case]] = [
    *_processes(), *_orders(), *_messages(), *_outside(), *_tables(), *_books(), *_callers(), *_figures(), *_jobs(),
]  # fmt: skip
