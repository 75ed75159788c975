"""Waits until a child answers, and explains why it does not."""

from collections.abc import Callable
from pathlib import Path

from deploy.local.child import Command, last_words
from deploy.local.refusals import CannotStart
from deploy.local.supervisor import Supervisor
from deploy.local.waiting import wait_until

DEATHS_BORNE = 3
REFUSED_SETTINGS = 2  # the exit code of a service that was given nonsense; it would be refused again


def require_ready(supervisor: Supervisor, name: str, answers: Callable[[], bool], log: Path, seconds: float) -> None:
    """Raises CannotStart when it does not answer in time, or dies again and again."""
    known = supervisor.deaths(name)

    def settled() -> bool:
        return answers() or gave_up(supervisor, name, known)

    in_time = wait_until(settled, seconds)
    if gave_up(supervisor, name, known):
        raise CannotStart(f"{name} does not stay up ({supervisor.cause_of_death(name)}). {where_to_look(log)}")
    if not in_time:
        raise CannotStart(f"{name} runs, but did not answer within {seconds:.0f} s. {where_to_look(log)}")


def gave_up(supervisor: Supervisor, name: str, known: int) -> bool:
    deaths = supervisor.deaths(name) - known
    return deaths >= DEATHS_BORNE or (deaths > 0 and supervisor.last_exit(name) == REFUSED_SETTINGS)


def require_done(command: Command, code: int) -> None:
    if code != 0:
        ending = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise CannotStart(f"`{command.name}` failed ({ending}). {where_to_look(command.log)}")


def where_to_look(log: Path) -> str:
    return f"The last lines of {log}:\n{last_words(log)}"
