"""Saturation by wrk where it is installed: a load client that costs less than the built-in one."""

import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.load import LINES, SKUS, Answers
from tests.bench.mix import HAPPY, SHORT_SKUS, Kind, Mix

_SCRIPT = """
local number, thread = 0, 0
local threads = 0
local kinds = { KINDS }
function setup(t) t:set("thread", threads); threads = threads + 1 end
function init() math.randomseed(7 + thread) end
local function order()
  number = number + 1
  local kind = kinds[number % #kinds + 1]
  local first = math.random(0, SKUS - 1)
  local items = {}
  for line = 0, LINES - 1 do
    local sku = (first + line * 67) % SKUS
    items[#items + 1] = string.format('{"sku":"BENCH-%03d","quantity":%d}', sku, 1 + sku % 3)
  end
  if kind.short ~= "" then
    items[1] = string.format('{"sku":"%s-%02d","quantity":1}', kind.short, number % SHORT_SKUS)
  end
  local order = '{"customer_id":"%s-%d","idempotency_key":"RUN.%s.%d-%d","items":[%s],"payment_method":"%s"%s}'
  local body = string.format(order, kind.customer, number % 997,
    kind.name, thread, number, table.concat(items, ","), kind.method, kind.more)
  return wrk.format("POST", "/api/v1/orders", HEADERS, body)
end
request = order
"""
_CANCELS = """
local cancels, asked = {}, {}
function request()
  local id = table.remove(cancels, 1)
  if id == nil then return order() end
  return wrk.format("POST", "/api/v1/orders/" .. id .. "/cancel", HEADERS, "{}")
end
function response(status, headers, body)
  if not string.find(body, '"cancels-', 1, true) then return end
  local id = string.match(body, '"id":"([^"]+)"')
  if id ~= nil and not asked[id] then
    asked[id] = true
    cancels[#cancels + 1] = id
  end
end
"""
_DONE = """
function done(summary, latency)
  io.write(string.format("answers %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


def is_there() -> bool:
    """Whether wrk is on the PATH (Debian's package of that name)."""
    return shutil.which("wrk") is not None


def closed_loop(
    port: int, prefer: str, run: str, seconds: float, mix: Mix = HAPPY, connections: int = 64
) -> tuple[Answers, float, float]:
    """As fast as answers come; the answers, and their p50 and p99 in milliseconds (wrk keeps no single times)."""
    prefers = f', ["Prefer"] = "{prefer}"' if prefer else ""
    script = (
        (_SCRIPT + _CANCELS * any(kind.is_cancelled for kind in mix) + _DONE)
        .replace("SHORT_SKUS", str(SHORT_SKUS)).replace("SKUS", str(SKUS)).replace("LINES", str(LINES))
        .replace("RUN", run).replace("KINDS", ", ".join(map(_lua, mix)))
        .replace("HEADERS", f'{{["Content-Type"] = "application/json"{prefers}}}')
    )  # fmt: skip
    used = _children_cpu()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.lua"
        path.write_text(script)
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "35s",
            "-s",
            str(path),
        ]
        done = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    match = re.search(r"answers (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if match is None:
        raise RuntimeError(f"wrk printed no figures: {done.stdout} {done.stderr}")
    requests, micros, p50, p99, refused, broken = map(int, match.groups())
    answers = Answers(elapsed=micros / 1e6, cpu=_children_cpu() - used)
    answers.statuses.update({202: requests - refused, 0: broken, 500: refused})
    return answers, p50 / 1000, p99 / 1000


def _lua(kind: Kind) -> str:
    return (
        f"{{name='{kind.name}', customer='{kind.customer}', method='{kind.payment_method}',"
        f" short='{kind.short}', more='{kind.more}'}}"
    )


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
