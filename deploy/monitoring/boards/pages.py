"""What each dashboard shows: the questions that somebody on call asks, in their order."""

from typing import Final

from deploy.monitoring.boards.drawing import Board, Panel, panel

_CONTEXTS: Final = ("orders", "inventory", "suppliers", "payments")
_PROCESSES: Final = 'job=~"gateway|orders|inventory|suppliers|payments"'


def quantiles(bucket: str, by: str = "", *shares: float) -> list[tuple[str, str]]:
    """A line for each share, e.g. 0.99, of a histogram's buckets (a selector)."""
    labels, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return [
        (
            f"histogram_quantile({share}, sum by ({labels}) (rate({bucket}[$__rate_interval])))",
            f"p{share * 100:g}{legend}",
        )
        for share in shares
    ]


def of_each(name: str, legend: str = "", by: str = "") -> list[tuple[str, str]]:
    """A counter of all contexts, a second; `legend` follows the context."""
    summed = f"sum by ({by}) " if by else "sum"
    return [
        (f"{summed}(rate({context}_{name}[$__rate_interval]))", f"{context} {legend}".strip()) for context in _CONTEXTS
    ]


def all_of(name: str, by: str, legend: str, function: str = "max") -> tuple[str, str]:
    """A gauge of all contexts."""
    named = f'{{__name__=~"(orders|inventory|suppliers|payments)_{name}"}}'
    replaced = f'label_replace({named}, "context", "$1", "__name__", "([a-z]+)_{name}")'
    return f"{function} by ({by}) ({replaced})", legend


def _rates() -> list[Panel]:
    buckets = "gateway_http_request_duration_seconds_bucket"
    return [
        panel("REST requests by code", "reqps",
              ("sum by (code) (rate(gateway_http_requests_total[$__rate_interval]))", "{{code}}")),
        panel("Placing an order", "s",
              *quantiles(buckets + '{route="/api/v1/orders", method="POST"}', "", 0.5, 0.95, 0.99)),
        panel("REST, p99 by route", "s",
              ("route_method:http_request_duration_seconds:p99_5m", "{{method}} {{route}}")),
        panel("REST errors", "reqps",
              ('sum by (route, code) (rate(gateway_http_requests_total{code=~"5.."}[$__rate_interval]))',
               "{{code}} {{route}}")),
        panel("RPCs", "reqps",
              ("sum by (context) (context_method_code:rpc_requests:rate5m)", "{{context}}")),
        panel("RPCs that failed", "reqps",
              ('sum by (context, code) (context_method_code:rpc_requests:rate5m{code!="OK"})', "{{context}} {{code}}")),
        panel("RPCs, p99 by method", "s", ("context_method:rpc_duration_seconds:p99_5m", "{{method}}")),
        panel("Under way", "short", ("sum(gateway_http_requests_in_flight)", "REST"),
              all_of("rpc_in_flight", "context", "{{context}}", "sum")),
    ]  # fmt: skip


def _saga() -> list[Panel]:
    ended = 'rate(orders_total{status=~"COMPLETED|FAILED|CANCELLED|EXPIRED"}[$__rate_interval])'
    return [
        panel("Steps of orders", "ops", ("sum by (status) (rate(orders_total[$__rate_interval]))", "{{status}}"),
              about="PENDING is every order that was placed; at rest each later line is a part of it."),
        panel("From placed to completed", "s",
              *quantiles("orders_completion_duration_seconds_bucket", "", 0.5, 0.95, 0.99)),
        panel("Unfinished orders by status", "short", ("status:orders_waiting:max", "{{status}}")),
        panel("The oldest without news, by status", "s", ("status:orders_waiting_seconds:max", "{{status}}")),
        panel("Orders that need attention", "short", ("attention:orders_attention:max", "{{attention}}"),
              ("orders:stuck:max", "stuck")),
        panel("The oldest that needs attention", "s", ("attention:orders_attention_seconds:max", "{{attention}}")),
        panel("Requests sent again", "ops",
              ("sum by (status) (rate(orders_requests_sent_again_total[$__rate_interval]))", "{{status}}")),
        panel("How orders end, of all that end", "percentunit",
              (f"sum by (status) ({ended}) / on () group_left () sum({ended})", "{{status}}")),
    ]  # fmt: skip


def _messages() -> list[Panel]:
    return [
        panel("Messages not yet read", "short", ("context_consumer:consumer_lag:sum", "{{context}} {{consumer}}")),
        panel("Messages read", "ops", *of_each("consumer_received_total")),
        panel("What became of them", "ops",
              *of_each("consumer_events_total", "{{fate}}", "fate")),
        panel("Time of a batch, p99", "s",
              *(line for context in _CONTEXTS
                for line in quantiles(f"{context}_consumer_batch_duration_seconds_bucket", "consumer", 0.99))),
        panel("Messages put aside", "short", ("context_consumer:consumer_parked:max", "{{context}} {{consumer}}")),
        panel("The oldest fact in the outbox", "s", ("context:outbox_age_seconds:max", "{{context}}")),
        panel("Facts in the outbox", "short", ("context:outbox_depth:max", "{{context}}"),
              about="At 2,000,000 the order service refuses new orders."),
        panel("Facts relayed", "ops", *of_each("outbox_relayed_total")),
    ]  # fmt: skip


def _books() -> list[Panel]:
    return [
        panel("Differences, which must be none", "short",
              ("inventory:ledger_difference_pieces:max", "movements and balances, pieces"),
              ("inventory:held_difference_pieces:max", "reserved and held, pieces"),
              ("payments:ledger_differences:max", "the provider's books and ours, payments")),
        panel("Reservations", "ops",
              ("sum by (outcome) (rate(inventory_reservations_total[$__rate_interval]))", "{{outcome}}")),
        panel("Reservations that wait for goods", "short", ("inventory:waiting_reservations:max", "waiting")),
        panel("Payments", "ops", ("sum by (outcome) (rate(payments_total[$__rate_interval]))", "{{outcome}}")),
        panel("Payments of which nobody knows what became", "short", ("age:payments_unknown:max", "{{age}}")),
        panel("Counting of figures", "s", ("orders:report_marks_age_seconds:max", "oldest mark"),
              ("orders:report_changes_age_seconds:max", "Redis behind")),
    ]  # fmt: skip


def _outside() -> list[Panel]:
    asked = "sum by (party, outcome) (rate(%s_outside_requests_total[$__rate_interval]))"
    took = 'suppliers_supplier_order_duration_seconds_bucket{outcome="delivered"}'
    return [
        panel("Requests to parties outside", "reqps",
              *((asked % context, "{{party}} {{outcome}}") for context in ("payments", "suppliers")),
              about="Only where they are spoken to over HTTP."),
        panel("Left alone for a moment", "short", ("context_party:outside_breaker_open:max", "{{party}}")),
        panel("Calls under way", "short", ("sum by (calls) (payments_calls_in_flight)", "payments {{calls}}"),
              ("sum by (calls) (suppliers_calls_in_flight)", "suppliers {{calls}}")),
        panel("Questions asked of the provider again", "ops",
              ("sum by (question) (rate(payments_retries_total[$__rate_interval]))", "{{question}}")),
        panel("Supplier orders", "ops",
              ("sum by (outcome) (rate(suppliers_supplier_orders_total[$__rate_interval]))", "{{outcome}}")),
        panel("Supplier orders that goods are expected of", "short",
              ("status:open_supplier_orders:max", "{{status}}")),
        panel("The oldest of them", "s", ("status:oldest_open_supplier_order_seconds:max", "{{status}}")),
        panel("From request to delivery", "s", *quantiles(took, "", 0.5, 0.95)),
        panel("Webhooks", "ops", ("context_outcome:webhooks:rate5m", "{{context}} {{outcome}}")),
    ]  # fmt: skip


def _edge() -> list[Panel]:
    return [
        panel("Requests inside", "short", ("sum by (instance) (gateway_http_requests_inside)", "{{instance}}"),
              ("sum by (instance) (gateway_batched_requests_waiting)", "{{instance}} in batches")),
        panel("Refused, for too many were inside", "reqps",
              ("sum(rate(gateway_http_requests_refused_total[$__rate_interval]))", "refused")),
        panel("Requests counted against limits", "reqps",
              ("context_by:rate_limited_requests:rate5m", "{{context}} by {{by}}")),
        panel("Beyond their limit", "reqps", ("context_limit:rate_limit_refusals:rate5m", "{{context}} {{limit}}")),
        panel("Live streams", "short", ("sum by (instance) (gateway_watching)", "{{instance}}"),
              ("sum by (instance) (orders_watching)", "{{instance}} at orders")),
        panel("Requests in a batch", "short", *quantiles("gateway_batch_requests_bucket", "", 0.5, 0.99)),
        panel("Clients that wait for a decision", "short", ("sum by (instance) (orders_waiters)", "{{instance}}")),
        panel("Rows of imports", "short", ('context_table:table_rows:max{table="import_rows"}', "staged")),
    ]  # fmt: skip


def _runtime() -> list[Panel]:
    def of_processes(expression: str) -> tuple[str, str]:
        return expression, "{{job}} {{instance}}"

    return [
        panel("Resident memory", "bytes", of_processes(f"process_resident_memory_bytes{{{_PROCESSES}}}")),
        panel("Processor", "percentunit",
              of_processes(f"rate(process_cpu_seconds_total{{{_PROCESSES}}}[$__rate_interval])"),
              about="1 is one core."),
        panel("Open files and connections", "short", of_processes(f"process_open_fds{{{_PROCESSES}}}")),
        panel("Time since the start", "s", of_processes(f"time() - process_start_time_seconds{{{_PROCESSES}}}")),
        panel("What each context reaches", "short",
              ("context_dependency:dependency_up:min", "{{context}} {{dependency}}")),
        panel("Rows of tables", "short", ("topk(15, context_table:table_rows:max)", "{{context}} {{table}}")),
        panel("Size of tables", "bytes", all_of("table_bytes", "context", "{{context}}", "sum")),
        panel("Time of a batch of commands, p99", "s",
              *quantiles("orders_batch_duration_seconds_bucket", "batcher", 0.99)),
        panel("Jobs that come too late", "s", ("context_job:job_lag_seconds:max", "{{context}} {{exported_job}}")),
        panel("Jobs that failed, in 15 minutes", "short",
              ("context_job:job_failures:increase15m > 0", "{{context}} {{exported_job}}")),
    ]  # fmt: skip


BOARDS: Final = (
    Board("rates", "Rates, errors, durations", _rates()),
    Board("saga", "Saga", _saga()),
    Board("messages", "Messages", _messages()),
    Board("books", "Money and stock", _books()),
    Board("outside", "Parties outside", _outside()),
    Board("edge", "Edge", _edge()),
    Board("runtime", "Runtime", _runtime()),
)
