"""Starts children, starts again what dies, and ends all of it: one thread that owns every child."""

import json
import logging
import os
import selectors
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from signal import SIGKILL, Signals
from time import monotonic
from typing import TypeVar

from deploy.local.child import Command, signal_group, signal_one
from deploy.local.waiting import wait_until
from deploy.local.watched import Watched

T = TypeVar("T")


class Supervisor:
    """Every child is the child of this one thread, because the kernel's parent-death signal follows threads."""

    def __init__(self, pids_file: Path, log: logging.Logger) -> None:
        self._pids_file, self._log = pids_file, log
        self._watched: dict[str, Watched] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._run_asked)
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self._thread.start()

    def start(self, command: Command) -> None:
        """Starts it and keeps it alive. A command of the same name that still runs is left alone."""
        self._in_thread(partial(self._start, command))

    def stop(self, names: Iterable[str]) -> None:
        """Ends them together: asks, waits each one's grace, then insists."""
        leaving = [watched for name in names if (watched := self._watched.get(name)) is not None]
        self._in_thread(partial(for_each, self._let_go, leaving))
        for watched in leaving:
            self._await_end(watched)

    def succeed(self, command: Command, is_ready: Callable[[int], bool], seconds: float) -> bool:
        """Starts another of that name, and ends the one before once `is_ready` says so of the new one's process id.

        False when it does not become ready in time, or dies: it is ended, and the one before goes on.
        """
        successor = Watched(command, wanted=False)
        self._in_thread(partial(self._spawn, successor))
        wait_until(lambda: (pid := successor.pid) is None or is_ready(pid), seconds)
        predecessor = self._watched.get(command.name)
        if not self._in_thread(partial(self._put_in_place, successor, is_ready)):
            self._in_thread(partial(self._let_go, successor))
            self._await_end(successor)
            return False
        if predecessor is not None:
            self._in_thread(partial(self._let_go, predecessor))
            self._await_end(predecessor)
        return True

    def kill(self, name: str, number: Signals = SIGKILL) -> None:
        """Sends a signal to the process itself; when it dies of it, it is started again."""
        pid = self.pids[name]
        signal_one(pid, number)

    def run_all(self, commands: Sequence[Command], timeout: float) -> dict[str, int]:
        """Runs them beside each other to their end: exit code by name (or minus the signal that ended it)."""
        running = [Watched(command, wanted=False) for command in commands]
        self._in_thread(partial(for_each, self._spawn, running))
        deadline = monotonic() + timeout
        for watched in running:
            if not watched.gone.wait(max(0.0, deadline - monotonic())):
                signal_group(watched.pid or 0, SIGKILL)
                watched.gone.wait()
        return {watched.command.name: watched.last_exit for watched in running}

    def close(self) -> None:
        """Ends what still runs, and the thread."""
        self.stop(list(self._watched))
        self._in_thread(self._finish)
        self._thread.join()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.close(descriptor)
        self._selector.close()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def pids(self) -> dict[str, int]:
        return {name: pid for name, watched in self._watched.copy().items() if (pid := watched.pid) is not None}

    def deaths(self, name: str) -> int:
        return self._watched[name].deaths

    def last_exit(self, name: str) -> int:
        return self._watched[name].last_exit

    def cause_of_death(self, name: str) -> str:
        return self._watched[name].cause()

    # What follows runs in the supervisor's thread.

    def _loop(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(self._seconds_to_next_start()):
                key.data()
            self._start_what_is_due()

    def _start(self, command: Command) -> None:
        known = self._watched.get(command.name)
        if known is not None and known.wanted:
            return
        self._watched[command.name] = watched = Watched(command)
        self._spawn(watched)

    def _put_in_place(self, successor: Watched, is_ready: Callable[[int], bool]) -> bool:
        """Kept alive from now on, unless it has died or is not ready."""
        if successor.pid is None or not is_ready(successor.pid):
            return False
        successor.wanted = True
        self._watched[successor.command.name] = successor
        self._write_pids()
        return True

    def _spawn(self, watched: Watched) -> None:
        try:
            handle = watched.spawn()
        except OSError as error:
            self._log.error("%s cannot be started: %s", watched.command.name, error)
            watched.last_exit = 127
            watched.bury()
            return
        self._selector.register(handle, selectors.EVENT_READ, partial(self._on_death, watched))
        self._write_pids()

    def _on_death(self, watched: Watched) -> None:
        self._selector.unregister(watched.handle)
        watched.bury()
        if watched.due_at is not None:
            delay = watched.due_at - monotonic()
            self._log.warning("%s died (%s), starts again in %.1f s", watched.command.name, watched.cause(), delay)
        self._write_pids()

    def _let_go(self, watched: Watched) -> None:
        watched.wanted, watched.due_at = False, None
        if watched.pid is None:
            watched.gone.set()
        else:
            signal_one(watched.pid, watched.command.stop_signal)

    def _await_end(self, watched: Watched) -> None:
        if not watched.gone.wait(watched.command.grace_seconds):
            self._log.warning("%s did not stop in time and is killed", watched.command.name)
            signal_group(watched.pid or 0, SIGKILL)
            watched.gone.wait()

    def _seconds_to_next_start(self) -> float | None:
        due = [watched.due_at for watched in self._watched.values() if watched.due_at is not None]
        return max(0.0, min(due) - monotonic()) if due else None

    def _start_what_is_due(self) -> None:
        for watched in self._watched.values():
            if watched.due_at is not None and watched.due_at <= monotonic():
                self._spawn(watched)

    def _write_pids(self) -> None:
        draft = self._pids_file.with_suffix(".draft")
        try:
            draft.write_text(json.dumps({"supervisor": os.getpid(), **self.pids}, indent=1))
            draft.replace(self._pids_file)
        except OSError as error:  # a state folder removed under our feet is no reason to drop the children
            self._log.warning("the process ids cannot be written to %s: %s", self._pids_file, error)

    def _finish(self) -> None:
        self._closed = True
        self._pids_file.unlink(missing_ok=True)

    def _run_asked(self) -> None:
        os.read(self._wake_reader, 4096)
        while not self._asked.empty():
            self._asked.get()()

    def _in_thread(self, work: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._asked.put(partial(_settle, future, work))
        os.write(self._wake_writer, b".")
        return future.result()


def for_each(do: Callable[[Watched], None], children: Iterable[Watched]) -> None:
    for child in children:
        do(child)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except OSError as error:
        future.set_exception(error)
