"""Saturation by wrk where it is installed: a load client that costs less than the built-in one."""

import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import LINES, NOBODY, SKUS, Answers
from tests.bench.mix import HAPPY, SHORT_SKUS, Kind, Mix

_SCRIPT = """
local number, thread = 0, 0
local threads = 0
local kinds = { KINDS }
local bearers = { BEARERS }
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
  local customer = string.format("%s-%d", kind.customer, number % 997)
  local order = '{"customer_id":"%s","idempotency_key":"RUN.%s.%d-%d","items":[%s],"payment_method":"%s"%s}'
  local body = string.format(order, customer, kind.name, thread, number,
    table.concat(items, ","), kind.method, kind.more)
  local headers = HEADERS
  headers["Authorization"] = bearers[customer]
  return wrk.format("POST", "/api/v1/orders", headers, body)
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


_READ = """
local paths = { PATHS }
function init() math.randomseed(11) end
function request() return wrk.format("GET", paths[math.random(#paths)]) end
"""


@dataclass
class Reading:
    """What a run of reading found; times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    broken: int


def is_there() -> bool:
    """Whether wrk is on the PATH (Debian's package of that name)."""
    return shutil.which("wrk") is not None


def closed_loop(
    port: int,
    prefer: str,
    run: str,
    seconds: float,
    mix: Mix = HAPPY,
    connections: int = 64,
    bearers: Mapping[str, str] = NOBODY,
) -> tuple[Answers, float, float]:
    """As fast as answers come; the answers, and their p50 and p99 in milliseconds (wrk keeps no single times).

    `bearers` is what customers show, by their ids.
    """
    prefers = f', ["Prefer"] = "{prefer}"' if prefer else ""
    script = (
        (_SCRIPT + _CANCELS * any(kind.is_cancelled for kind in mix) + _DONE)
        .replace("SHORT_SKUS", str(SHORT_SKUS)).replace("SKUS", str(SKUS)).replace("LINES", str(LINES))
        .replace("BEARERS", ", ".join(f'["{name}"] = "{bearer}"' for name, bearer in bearers.items()))
        .replace("RUN", run).replace("KINDS", ", ".join(map(_lua, mix)))
        .replace("HEADERS", f'{{["Content-Type"] = "application/json"{prefers}}}')
    )  # fmt: skip
    used = _children_cpu()
    requests, micros, p50, p99, refused, broken = _figures(script, port, seconds, connections)
    answers = Answers(elapsed=micros / 1e6, cpu=_children_cpu() - used)
    answers.statuses.update({202: requests - refused, 0: broken, 500: refused})
    return answers, p50 / 1000, p99 / 1000


def read(port: int, paths: Sequence[str], seconds: float, connections: int) -> Reading:
    """These paths, in no order, as fast as answers come."""
    script = (_READ + _DONE).replace("PATHS", ", ".join(f'"{path}"' for path in paths))
    requests, micros, p50, p99, refused, broken = _figures(script, port, seconds, connections)
    return Reading(requests / (micros / 1e6), p50 / 1000, p99 / 1000, refused + broken)


def _figures(script: str, port: int, seconds: float, connections: int) -> tuple[int, ...]:
    """Requests, microseconds they took together, p50 and p99 in microseconds, refused ones, broken ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.lua"
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
    return tuple(map(int, match.groups()))


def _lua(kind: Kind) -> str:
    return (
        f"{{name='{kind.name}', customer='{kind.customer}', method='{kind.payment_method}',"
        f" short='{kind.short}', more='{kind.more}'}}"
    )


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
