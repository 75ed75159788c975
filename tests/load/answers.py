"""What the users of a scenario were answered: k6's own record of it, read on while k6 writes."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

_NAME, _AT, _VALUE = 0, 1, 2


class Answer(NamedTuple):
    """One request's end: when (ms since 1970), its name, status, how long it took (ms), and what it is one of."""

    at: int
    name: str
    status: int
    ms: float
    of: str


@dataclass
class Answers:
    """All that was answered so far."""

    answers: list[Answer] = field(default_factory=list)
    users: list[tuple[int, float]] = field(default_factory=list)
    dropped: int = 0
    """Orders that nobody was free to place when they were due."""
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The ids of orders that were told, by what they are one of."""

    def named(self, name: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.name == name]

    def statuses(self, name: str) -> Counter[int]:
        return Counter(answer.status for answer in self.answers if answer.name == name)

    def by_round(self, name: str) -> Mapping[str, Counter[int]]:
        """Statuses by what the requests are one of."""
        found: dict[str, Counter[int]] = defaultdict(Counter)
        for answer in self.named(name):
            found[answer.of][answer.status] += 1
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Record:
    """A file that k6 writes with `--out csv`, times in milliseconds."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read = 0
        self._columns: Mapping[str, int] = {}
        self.answers = Answers()

    def read_on(self) -> Answers:
        """What it says by now."""
        for line in self._new_lines():
            if not self._columns:
                self._columns = {name: number for number, name in enumerate(line.split(","))}
            elif line.startswith(_KEPT):
                self._keep(line.split(","))
        return self.answers

    def _new_lines(self) -> Iterator[str]:
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            stream.seek(self._read)
            for line in stream:
                if not line.endswith(b"\n"):
                    return  # the rest of it is yet to be written
                self._read += len(line)
                yield line.decode().rstrip("\n")

    def _keep(self, cells: Sequence[str]) -> None:
        metric, at, value = cells[_NAME], int(cells[_AT]), float(cells[_VALUE])
        if metric == "vus":
            self.answers.users.append((at, value))
        elif metric == "dropped_iterations":
            self.answers.dropped += round(value)
        elif metric == "told":
            tags = self._tags(cells)
            self.answers.ids[tags["of"]].add(tags.get("order", ""))
        else:
            name, status = cells[self._columns["name"]], int(cells[self._columns["status"]] or 0)
            self.answers.answers.append(Answer(at, name, status, value, self._tags(cells).get("of", "")))

    def _tags(self, cells: Sequence[str]) -> Mapping[str, str]:
        return dict(pair.split("=", 1) for pair in cells[self._columns["extra_tags"]].split("&") if pair)


_KEPT: Final = ("http_req_duration,", "vus,", "dropped_iterations,", "told,")
