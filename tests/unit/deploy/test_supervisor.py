"""The supervisor keeps children alive, ends them, and takes them along when it dies."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.child import Command
from deploy.local.supervisor import Supervisor
from tests.waiting import until

WAITS = (sys.executable, "-c", "import signal; signal.pause()")
IGNORES_TERM = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
)
FAILS = (sys.executable, "-c", "raise SystemExit(3)")
GUARDIAN = """
import logging, signal, sys
from pathlib import Path
from deploy.local.child import Command
from deploy.local.supervisor import Supervisor

folder = Path(sys.argv[1])
supervisor = Supervisor(folder / "pids.json", logging.getLogger("test"))
for name in ("first", "second"):
    wait = (sys.executable, "-c", "import signal; signal.pause()")
    supervisor.start(Command(name, wait, folder / f"{name}.log"))
signal.pause()
"""

MakeCommand = Callable[..., Command]


@pytest.fixture
def command(tmp_path: Path) -> MakeCommand:
    def make(name: str, arguments: tuple[str, ...], grace_seconds: float = 15.0) -> Command:
        return Command(name, arguments, tmp_path / f"{name}.log", grace_seconds=grace_seconds)

    return make


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    running = Supervisor(tmp_path / "pids.json", logging.getLogger("tests.supervisor"))
    yield running
    running.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_has_a_session_of_its_own_and_writes_to_its_log(
    supervisor: Supervisor, command: MakeCommand, tmp_path: Path
) -> None:
    supervisor.start(
        command("talker", (sys.executable, "-c", "import signal; print('hello', flush=True); signal.pause()"))
    )

    assert until(lambda: (tmp_path / "talker.log").read_text() == "hello\n")
    assert os.getsid(supervisor.pids["talker"]) == supervisor.pids["talker"]


def test_a_child_that_is_killed_is_started_again_and_the_log_tells(
    supervisor: Supervisor, command: MakeCommand, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start(command("worker", WAITS))
    first = supervisor.pids["worker"]

    supervisor.kill("worker")

    assert until(lambda: supervisor.pids.get("worker", first) != first)
    assert "worker died (signal 9), starts again in 0.2 s" in caplog.text


def test_a_child_that_keeps_failing_is_started_with_growing_delays(
    supervisor: Supervisor, command: MakeCommand, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start(command("broken", FAILS))

    assert until(lambda: supervisor.deaths("broken") >= 3)
    assert supervisor.cause_of_death("broken") == "exit code 3"
    assert [message.split()[-2] for message in caplog.messages[:3]] == ["0.2", "0.4", "0.8"]


def test_a_child_that_is_stopped_stays_down(supervisor: Supervisor, command: MakeCommand) -> None:
    supervisor.start(command("worker", WAITS))
    pid = supervisor.pids["worker"]

    supervisor.stop(["worker"])

    assert not is_alive(pid)
    assert supervisor.pids == {}
    assert supervisor.deaths("worker") == 0


def test_a_stopped_child_can_be_started_once_more(supervisor: Supervisor, command: MakeCommand) -> None:
    supervisor.start(command("worker", WAITS))
    supervisor.stop(["worker"])

    supervisor.start(command("worker", WAITS))

    assert is_alive(supervisor.pids["worker"])


def test_a_child_that_does_not_listen_is_killed_after_its_grace(
    supervisor: Supervisor, command: MakeCommand, tmp_path: Path
) -> None:
    supervisor.start(command("stubborn", IGNORES_TERM, grace_seconds=0.2))
    assert until(lambda: (tmp_path / "stubborn.log").read_text() == "deaf\n")
    pid = supervisor.pids["stubborn"]

    supervisor.stop(["stubborn"])

    assert not is_alive(pid)


def test_a_successor_takes_the_place_of_the_one_before_once_it_is_ready(
    supervisor: Supervisor, command: MakeCommand
) -> None:
    supervisor.start(command("worker", WAITS))
    before = supervisor.pids["worker"]
    lived: list[bool] = []

    def is_ready(pid: int) -> bool:
        lived.append(is_alive(before))
        return is_alive(pid)

    assert supervisor.succeed(command("worker", WAITS), is_ready, seconds=5)

    after = supervisor.pids["worker"]
    assert lived
    assert all(lived)
    assert after != before
    assert not is_alive(before)
    supervisor.kill("worker")
    assert until(lambda: supervisor.pids.get("worker", after) != after), "a successor is kept alive, too"


def test_the_one_before_goes_on_where_its_successor_is_never_ready(
    supervisor: Supervisor, command: MakeCommand
) -> None:
    supervisor.start(command("worker", WAITS))
    before = supervisor.pids["worker"]
    seen: list[int] = []

    def is_never_ready(pid: int) -> bool:
        seen.append(pid)
        return False

    assert not supervisor.succeed(command("worker", WAITS), is_never_ready, seconds=0.1)
    assert not supervisor.succeed(command("worker", FAILS), is_never_ready, seconds=15)

    assert supervisor.pids["worker"] == before
    assert is_alive(before)
    assert not is_alive(seen[0])


def test_a_program_that_does_not_exist_is_reported_like_one_that_dies(
    supervisor: Supervisor, command: MakeCommand
) -> None:
    supervisor.start(command("absent", ("/no/such/program",)))

    assert until(lambda: supervisor.deaths("absent") >= 1)


def test_commands_beside_each_other_return_their_exit_codes(supervisor: Supervisor, command: MakeCommand) -> None:
    codes = supervisor.run_all([command("good", (sys.executable, "-c", "")), command("bad", FAILS)], timeout=15)

    assert codes == {"good": 0, "bad": 3}


def test_a_command_that_takes_too_long_is_ended(supervisor: Supervisor, command: MakeCommand) -> None:
    assert supervisor.run_all([command("slow", WAITS)], timeout=0.1) == {"slow": -signal.SIGKILL}


def test_the_process_ids_are_on_file_while_it_runs(command: MakeCommand, tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "pids.json", logging.getLogger("tests.supervisor"))
    supervisor.start(command("worker", WAITS))

    assert json.loads((tmp_path / "pids.json").read_text()) == {"supervisor": os.getpid(), **supervisor.pids}

    supervisor.close()
    assert not (tmp_path / "pids.json").exists()


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    guardian = subprocess.Popen([sys.executable, "-c", GUARDIAN, str(tmp_path)])
    file = tmp_path / "pids.json"
    assert until(lambda: file.exists() and {"first", "second"} <= json.loads(file.read_text()).keys())
    pids = json.loads(file.read_text())
    assert is_alive(pids["first"])
    assert is_alive(pids["second"])

    guardian.kill()
    guardian.wait()

    assert until(lambda: not is_alive(pids["first"]) and not is_alive(pids["second"]))
