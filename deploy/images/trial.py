"""Runs a finished image as it will be run, against real servers of this machine: an order goes all the way."""

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.images.build import Built
from deploy.images.processes import PROCESSES, SERVICES, Process
from deploy.images.recipe import Recipe
from deploy.images.root import StepFailed, last_lines
from deploy.local import Infrastructure
from deploy.local.waiting import wait_until

_READY_SECONDS: Final = 300.0
_ENDS_SECONDS: Final = 300.0
_STOPS_SECONDS: Final = 60.0
_REFUSED: Final = 2
_PRODUCT: Final = {"name": "TEAPOT", "price": "2.55", "currency": "GBP", "supply": "STOCK"}
_RECEIPT: Final = {"quantity": 5, "reason": "trial", "idempotency_key": "trial"}
_ORDER: Final = {"customer_id": "c-1", "items": [{"sku": "T-1", "quantity": 2}]}


@dataclass(frozen=True)
class Run:
    """A process of the image on this machine, and the file of what it says."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def ends(self, seconds: float) -> int:
        """Its exit code. Raises StepFailed when it does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"{self.name} did not end within {seconds:.0f} s:\n{self.words}") from None

    @property
    def words(self) -> str:
        return last_lines(self.log.read_text(errors="replace"))


@dataclass
class Trial:
    """One image. Its processes are told what its Dockerfile says, and where the servers are; `logs` has their words."""

    recipe: Recipe
    built: Built
    logs: Path
    say: Callable[[str], None]
    _told: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self, infrastructure: Infrastructure) -> None:
        """Raises StepFailed with what went wrong, and CannotStart when the servers do not start."""
        self.tells_its_settings()
        self.refuses_to_start_with_nothing()
        with infrastructure:
            self._told = infrastructure.environment
            self.prepares(infrastructure.database_url)
            with self.running() as runs:
                for process, run in runs.items():
                    self.becomes_healthy(process, run)
                    self.may_do_nothing(run)
                self.finishes_an_order(infrastructure.place.address("rest"))
                for run in runs.values():
                    self.stops(run)

    def tells_its_settings(self) -> None:
        """Without any setting, what can be set is told."""
        for process in PROCESSES:
            run = self._to_its_end(process.module, "--settings")
            if "LISTEN_HOST" not in run.log.read_text():
                raise StepFailed(f"{process.module} --settings says nothing of LISTEN_HOST:\n{run.words}")
        self.say(f"  --settings: {', '.join(process.module for process in PROCESSES)}")

    def refuses_to_start_with_nothing(self) -> None:
        """A required setting that is missing ends the container at once, with its name."""
        for process in SERVICES:
            run = self._start(process.module)
            name = f"{process.context.upper()}_DATABASE_URL"
            if run.ends(_ENDS_SECONDS) != _REFUSED or f"{name}: is not set" not in run.words:
                raise StepFailed(f"{process.module} without {name} was to end with {_REFUSED}, naming it:\n{run.words}")
        self.say("  without settings: refused, with the name of what is missing")

    def prepares(self, owner_url: str) -> None:
        """Schemas and topics, by the commands of the image."""
        for process in SERVICES:
            self._to_its_end(process.module, "--migrate", more={"DATABASE_URL": owner_url})
        self._to_its_end("chassis.topics")
        self.say("  schemas and topics are made")

    @contextmanager
    def running(self) -> Iterator[Mapping[Process, Run]]:
        """All processes, ended afterwards whatever happens."""
        with ExitStack() as ends:
            runs = {}
            for process in PROCESSES:
                run = runs[process] = self._start(process.module)
                ends.callback(run.process.wait)
                ends.callback(run.process.kill)
            yield runs

    def becomes_healthy(self, process: Process, run: Run) -> None:
        """As the image's own HEALTHCHECK says."""

        def settled() -> bool:
            return run.process.poll() is not None or self._probe(process).ends(_ENDS_SECONDS) == 0

        if not wait_until(settled, _READY_SECONDS, every=0.5) or run.process.poll() is not None:
            raise StepFailed(f"{run.name} did not become healthy:\n{self._probe(process).words}\n{run.words}")
        self.say(f"  {run.name}: healthy")

    def may_do_nothing(self, run: Run) -> None:
        """The user of the Dockerfile, no capability, no way to more, nothing to write on."""
        lines = Path(f"/proc/{run.process.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        user, group = self.built.user.split(":")
        wanted = {"Uid": "\t".join([user] * 4), "Gid": "\t".join([group] * 4), "NoNewPrivs": "1"}
        wanted |= dict.fromkeys(("CapEff", "CapPrm", "CapBnd"), "0" * 16)
        if wrong := {name: status[name] for name, value in wanted.items() if status[name] != value}:
            raise StepFailed(f"{run.name} runs with more than it should: {wrong}")
        mounts = Path(f"/proc/{run.process.pid}/mounts").read_text().splitlines()
        root = [line for line in mounts if line.split()[1] == "/"][-1]
        if "ro" not in root.split()[3].split(","):
            raise StepFailed(f"{run.name} could write on its root: {root}")

    def finishes_an_order(self, address: str) -> None:
        """A product, something on its shelf, an order for it, and the order completed."""
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=30, trust_env=False) as client:
            answered(client.put("/products/T-1", json=_PRODUCT))
            answered(client.post("/products/T-1/receipts", json=_RECEIPT))
            placed = answered(client.post("/orders", json=_ORDER, headers={"idempotency-key": "trial"}))

            def order() -> Any:
                return answered(client.get(f"/orders/{placed['data']['id']}"))["data"]

            if not wait_until(lambda: order()["status"] == "COMPLETED", _READY_SECONDS, every=0.2):
                raise StepFailed(f"the order did not end: {order()}")
        self.say("  an order: placed and completed")

    def stops(self, run: Run) -> None:
        """By the signal that the Dockerfile names, in order."""
        step = self.recipe.image.last("STOPSIGNAL")
        number = signal.Signals[step.value if step else "SIGTERM"]
        run.process.send_signal(number)
        # uvicorn sends itself again what it stopped for.
        if (code := run.ends(_STOPS_SECONDS)) not in (0, -number):
            raise StepFailed(f"{run.name} ended with {code} at {number.name}:\n{run.words}")
        self.say(f"  {run.name}: stopped by {number.name}")

    def _probe(self, process: Process) -> Run:
        """The image's own HEALTHCHECK. All containers are one machine here, so it is told whom to ask."""
        check = self.recipe.image.last("HEALTHCHECK")
        command = replace(check, value=check.value.removeprefix("CMD").strip()).words if check else ()
        return self._begin([*command, process.module], {})

    def _to_its_end(self, *arguments: str, more: Mapping[str, str] | None = None) -> Run:
        run = self._start(*arguments, more=more)
        if (code := run.ends(_ENDS_SECONDS)) != 0:
            raise StepFailed(f"{run.name} ended with {code}:\n{run.words}")
        return run

    def _start(self, *arguments: str, more: Mapping[str, str] | None = None) -> Run:
        entry = self.recipe.image.last("ENTRYPOINT")
        return self._begin([*(entry.words if entry else ()), *arguments], more or {})

    def _begin(self, command: Sequence[str], more: Mapping[str, str]) -> Run:
        log = self.logs / f"{next(self._numbers)}.log"
        told = {**self.built.environment, **self._told, **more}
        with log.open("wb") as output:
            process = self.built.root.start(command, told, self.built.user, self.built.directory, output)
        return Run(" ".join(command), process, log)


def answered(answer: httpx.Response) -> Any:
    """What it says. Raises StepFailed when it is a refusal."""
    if not answer.is_success:
        raise StepFailed(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer.json()
