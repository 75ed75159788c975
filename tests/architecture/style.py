"""The rules of the house that a reader of the syntax tree can keep."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.architecture.sources import Source, room_of

RULES = PurePosixPath("tests/architecture")

LONGEST_FILE = 500
LONGEST_FUNCTION = 60
LONGEST_MAIN = 60

CLOCK = "chassis/clock.py"
READS_THE_CLOCK = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
)
WAITS = "tests/waiting.py"
PACED = frozenset({"bench", "load", "chaos"})
"""Tests whose subject is time itself."""

EDGES = {
    "chassis/interceptor.py": "whatever an RPC ran into becomes a status",
    "chassis/consumer/folding.py": "whatever a fact ran into, it does not hold up its neighbours",
    "chassis/consumer/reading.py": "the consumer outlives whatever it ran into",
    "chassis/jobs.py": "a job that failed comes again",
    "chassis/outbox.py": "the relay outlives a round",
    "chassis/batcher.py": "the servicer's edge for a batch: whoever waits gets an answer",
    "chassis/calls.py": "the edge to outside parties: a call that failed in any way has an outcome to record",
    "chassis/health.py": "a check fails in whatever way its client fails",
    "gateway/rest/application.py": "the interceptor of REST",
}
"""The only files that may catch everything, and why."""

WRITES = re.compile(r"\b(INSERT\s+INTO|DELETE\s+FROM)\b|\bUPDATE\s+\w+(\s+(AS\s+)?\w+)?\s+SET\b|^\s*COPY\s+\w")
WRITING_ROOMS = frozenset({"repository", "tables", "migrations", "simulator"})
MOCKS = frozenset({"unittest.mock", "mock", "pytest_mock"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")


def style_complaints(source: Source) -> Iterator[str]:
    """A sentence for each broken rule."""
    yield from size_complaints(source)
    yield from clock_complaints(source)
    yield from broad_excepts(source)
    yield from writes_outside(source)
    yield from complaints_of_tests(source)
    if source.tree.body and ast.get_docstring(source.tree) is None:
        yield f"{source.path} does not say in a sentence what it is for"
    if source.path.parent != RULES:
        yield from (f"{source.path} is unfinished: {match[0]}" for match in UNFINISHED.finditer(source.text))


def size_complaints(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    longest = LONGEST_MAIN if room_name(source) == "__main__" else LONGEST_FILE
    if lines > longest:
        yield f"{source.path} has {lines} lines, {longest} are allowed"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{source.at(node)} {node.name} has {length} lines, {LONGEST_FUNCTION} are allowed"


def room_name(source: Source) -> str:
    room = room_of(source)
    return room.name if room else ""


def clock_complaints(source: Source) -> Iterator[str]:
    """`time.monotonic` is no clock: it tells how long, never when."""
    if str(source.path) == CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and called(node) in READS_THE_CLOCK:
            yield f"{source.at(node)} reads the clock; chassis.clock does that"


def called(node: ast.Call) -> str:
    """The last two names of what is called: `datetime.datetime.now(…)` is `datetime.now`."""
    return ".".join(ast.unparse(node.func).split(".")[-2:])


def broad_excepts(source: Source) -> Iterator[str]:
    if str(source.path) in EDGES or source.package == "tests":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not raises_again(node):
            yield f"{source.at(node)} catches everything, and is none of the edges"


def is_broad(node: ast.ExceptHandler) -> bool:
    caught = "" if node.type is None else ast.unparse(node.type)
    return not caught or bool(re.search(r"\b(Base)?Exception\b", caught))


def raises_again(node: ast.ExceptHandler) -> bool:
    """Cleaning up on the way out hides nothing."""
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def writes_outside(source: Source) -> Iterator[str]:
    """All SQL of a service that writes stands in its repository."""
    room = room_of(source)
    if room is None or room.name in WRITING_ROOMS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and WRITES.search(node.value):
            yield f"{source.at(node)} writes by SQL; the repository does that"


def complaints_of_tests(source: Source) -> Iterator[str]:
    if source.package != "tests" or PACED & set(source.path.parts):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and sleeps(node) and source.path != PurePosixPath(WAITS):
            yield f"{source.at(node)} sleeps; tests.waiting.until waits for a condition"
        if isinstance(node, ast.Import | ast.ImportFrom) and mocks(node):
            yield f"{source.at(node)} mocks; fakes are written by hand, for ports"
        if isinstance(node, ast.Call) and called(node) == "monkeypatch.setattr" and not sets_a_number(node):
            yield f"{source.at(node)} patches code; hand in what is to be different"


def sleeps(node: ast.Call) -> bool:
    """A fake that takes its time sleeps for what it was told; a test that sleeps for a second or more guesses."""
    if called(node) in {"time.sleep", "sleep"}:
        return True
    duration = node.args[0] if node.args else None
    return (
        called(node) == "asyncio.sleep"
        and isinstance(duration, ast.Constant)
        and isinstance(duration.value, int | float)
        and duration.value >= 1
    )


def sets_a_number(node: ast.Call) -> bool:
    """A batch of five shows what a batch of a thousand does; a constant in capitals is no code."""
    return any(isinstance(word, ast.Constant) and str(word.value).isupper() for word in node.args[1:2])


def mocks(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
    return bool(MOCKS & set(names))
