"""Runs a scenario against a running system, shows how far it has come, and gathers what it has left behind."""

import csv
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chassis import clock
from deploy.local import Stack
from deploy.local.child import Command, spawn
from tests.load.answers import Answers, Record, percentile
from tests.load.bars import Bar, Found, books
from tests.load.books import Books
from tests.load.scenarios import Scenario
from tests.load.watch import Watch

SCRIPTS: Final = Path(__file__).with_name("scripts")
PRODUCTS: Final = 600
_PIECES: Final = 10_000_000
_SKU: Final = re.compile(r"\d{5}[A-Z]?")
_CROSSED: Final = 99
_LATE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 2.0
_RECENT: Final = 2_000


class Broke(Exception):
    """k6 itself did not come to its end; the sentence is what it said last."""


@dataclass(frozen=True)
class Outcome:
    """A scenario that was run, and what became of its bars."""

    scenario: Scenario
    found: Found
    bars: list[Bar]

    @property
    def is_met(self) -> bool:
        return all(bar.is_met for bar in self.bars)


class Runner:
    """Runs scenarios on one stack, one after the other; `folder` is for files that are gone afterwards."""

    def __init__(self, stack: Stack, k6: Path, folder: Path, say: Callable[[str], None]) -> None:
        self._stack, self._k6, self._folder, self._say = stack, k6, folder, say
        self._books = Books(stack)
        self._catalogue = folder / "catalogue.json"

    def stock_up(self) -> None:
        """A few hundred of a shop's real products, more of each than anybody buys, by `orderctl` as a shop would."""
        month, products = self._folder / "month.csv", self._folder / "products.csv"
        self._orderctl("sample", str(month), "--orders", "60")
        skus = write_products(month, products)
        self._orderctl("products", "import", str(products))
        self._catalogue.write_text(json.dumps(skus))

    def run(self, scenario: Scenario) -> Outcome:
        """Until k6 has ended, and then until every order has. Raises Broke."""
        run = secrets.token_hex(4).upper()
        record = Record(self._folder / f"{scenario.name}-{run}.csv")
        door = self._stack.place.port("rest")
        watch = Watch(lambda: self._stack.pids, _LOOK_SECONDS, ("gateway", door))
        watch.begin()
        met = self._k6_runs(scenario, run, record)
        samples = watch.end()
        self._say(f"  {scenario.name}: reading the books")
        unfinished = self._books.unfinished()
        shelf = self._books.shelf(f"{scenario.shelf}-{run}") if scenario.shelf else {}
        broken = [f"{name}: {rows[0]}" for name, rows in self._books.broken().items()]
        found = Found(record.read_on(), samples, self._books.ends(run), shelf, unfinished, broken, met)
        return Outcome(scenario, found, [*scenario.judge(found), *books(found)])

    def saturation(self, seconds: float) -> float:
        """Orders a second that users who never think get answered, once the system is warm."""
        scenario = Scenario("saturation", "", seconds, lambda found: [], {"SECONDS": f"{seconds:g}"})
        record = Record(self._folder / "saturation.csv")
        self._k6_runs(scenario, secrets.token_hex(4).upper(), record)
        self._books.unfinished()
        times = [answer.at / 1000 for answer in record.answers.named("place") if answer.status == 201]
        if not times:
            raise Broke(f"nobody was answered with 201: {record.answers.statuses('place')}")
        second_half = [at for at in times if at > times[-1] - seconds / 2]
        return len(second_half) / (seconds / 2)

    def close(self) -> None:
        self._books.close()

    def _k6_runs(self, scenario: Scenario, run: str, record: Record) -> bool:
        """Whether the script's own thresholds were met."""
        log = self._folder / f"{scenario.name}-{run}.log"
        command = Command("k6", self._command(scenario, record.file), log, self._environment(scenario, run))
        process = spawn(command)
        try:
            self._follow(process, scenario, record)
        finally:
            process.kill()
            process.wait()
        if process.returncode not in (0, _CROSSED):
            raise Broke(f"k6 ended with {process.returncode} in {scenario.name}: {log.read_text()[-1500:].strip()}")
        record.read_on()
        return process.returncode == 0

    def _command(self, scenario: Scenario, file: Path) -> tuple[str, ...]:
        return (
            str(self._k6), "run", "--quiet", "--no-color", "--no-usage-report", "--no-summary", "--address", "",
            "--system-tags", "name,status,scenario", "--out", f"csv={file}", str(SCRIPTS / f"{scenario.name}.js"),
        )  # fmt: skip

    def _environment(self, scenario: Scenario, run: str) -> Mapping[str, str]:
        return {
            **os.environ, **scenario.settings, "RUN": run, "BASE": f"http://{self._stack.place.address('rest')}",
            "CATALOGUE": str(self._catalogue) if self._catalogue.exists() else "", "K6_CSV_TIME_FORMAT": "unix_milli",
        }  # fmt: skip

    def _follow(self, process: "subprocess.Popen[bytes]", scenario: Scenario, record: Record) -> None:
        """Reads on what k6 writes, shows it, and waits no longer than makes sense."""
        begun, told = clock.monotonic(), 0.0
        every = 1.0 if sys.stderr.isatty() else 15.0
        while process.poll() is None:
            time.sleep(0.2)
            passed = clock.monotonic() - begun
            answers = record.read_on()
            if passed - told >= every:
                told = passed
                self._say(progress(scenario, passed, answers))
            if passed > scenario.seconds + _LATE_SECONDS:
                raise Broke(f"{scenario.name} did not end: {passed:.0f} s instead of {scenario.seconds:.0f}")

    def _orderctl(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name("orderctl")), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **self._stack.environment})
        if done.returncode != 0:
            raise Broke(f"{' '.join(arguments)}: {done.stdout[-500:]} {done.stderr[-500:]}")


def write_products(month: Path, products: Path) -> list[str]:
    """The products of a month of orders as a file for `orderctl products import`; their SKUs."""
    found: dict[str, list[str]] = {}
    with month.open(newline="") as file:
        for row in csv.DictReader(file):
            sku, name, price = row["StockCode"].strip(), row["Description"].strip(), row["UnitPrice"]
            if (
                _SKU.fullmatch(sku)
                and name
                and re.fullmatch(r"\d+\.\d\d", price)
                and float(price)
                and len(found) < PRODUCTS
            ):
                found.setdefault(sku, [sku, name, price, str(_PIECES)])
    with products.open("w", newline="") as file:
        csv.writer(file).writerows([["sku", "name", "price", "receive"], *found.values()])
    return list(found)


def progress(scenario: Scenario, passed: float, answers: Answers) -> str:
    """One line: how far, how many orders, how quick the last ones were."""
    placed = [answer.ms for answer in answers.answers[-_RECENT:] if answer.name == "place"]
    share = min(1.0, passed / scenario.seconds)
    bar = "#" * round(20 * share)
    return (
        f"  {scenario.name:<10} [{bar:<20}] {passed:4.0f} of {scenario.seconds:.0f} s,"
        f" {len(answers.answers):,} answers, p95 of the last ones {percentile(placed, 0.95):.0f} ms"
    )
