"""What keeps reports by itself: marks are counted, a rebuild goes on, and Redis is told what the totals have become."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from chassis.metrics import gauge
from order_service.reports import commands, queries
from order_service.reports.domain import BOARDS, Board, Figures
from order_service.reports.ports import BoardsAway, BoardWriter, NotThisEdition
from order_service.reports.queries import Work

_CONTEXT: Final = "orders"
EVERY_SECONDS: Final = 0.5
TIDY_EVERY_SECONDS: Final = 60.0
_PASS_SECONDS: Final = 0.2
"""How long a pass may last before the other jobs come to their turn."""
_REST_SECONDS: Final = 5.0
"""For how long Redis is left alone that did not answer; else each pass would wait for it."""
_INEXACT_REST_SECONDS: Final = 60.0
_PAGE: Final = 5_000
_CHANGES: Final = 20
MOST_CHANGES: Final = 1_000
"""Where more than this waits for Redis, the boards are loaded anew once it is back."""

log = get_logger(__name__)


class Inexact(Exception):
    """A figure that a sorted set would round."""


@dataclass(slots=True)
class Loading:
    """An edition on its way into Redis: how much of each board is there, and behind which member it goes on."""

    edition: int
    loaded: dict[Board, int] = field(default_factory=lambda: dict.fromkeys(BOARDS, 0))
    after: str = ""
    rest: list[Board] = field(default_factory=lambda: list(BOARDS))


class ReportKeeper:
    """Does all that is to be done, in passes short enough that the other jobs come to their turn."""

    def __init__(
        self, database: Database, boards: BoardWriter, page: int = _PAGE, piece: int = commands.ORDERS
    ) -> None:
        self._database = database
        self._boards = boards
        self._page = page
        self._piece = piece
        self._loading: Loading | None = None
        self._rest_until = 0.0
        self._marks_age = gauge(_CONTEXT, "report_marks_age_seconds", "Time that the oldest mark waits to be counted")
        self._changes_age = gauge(_CONTEXT, "report_changes_age_seconds", "Time that Redis lags behind the totals")
        self._published = gauge(_CONTEXT, "report_boards_published", "Whether leaderboards are read from Redis")

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What the service's job runner is to do."""
        return Job("reports", EVERY_SECONDS, self.go_on), Job("reports-tidy", TIDY_EVERY_SECONDS, self.tidy)

    def go_on(self) -> None:
        """A pass: next to nothing when nothing has changed."""
        until = clock.monotonic() + _PASS_SECONDS
        work = self._database.read(queries.work)
        if work is None:
            self._database.write(commands.begin)
            return
        self._measure(work)
        if work.has_marks:
            self._again(lambda: self._database.write(commands.count_marks) == commands.MARKS, until)
        if work.is_building:
            self._again(self._count_next_orders, until)
        if work.has_marks or work.is_building:
            work = self._database.read(queries.work)
        if work is not None and clock.monotonic() >= self._rest_until:
            self._tell(work, until)

    def tidy(self) -> None:
        """Delete what former generations have left."""
        self._again(lambda: self._database.write(commands.drop_old_totals), clock.monotonic() + _PASS_SECONDS)

    def _measure(self, work: Work) -> None:
        self._marks_age.set(work.marks_seconds)
        self._changes_age.set(work.changes_seconds)
        self._published.set(work.is_published)

    def _again(self, step: Callable[[], bool], until: float) -> bool:
        """Whether the last step said that there is no more."""
        while step():
            if clock.monotonic() > until:
                return False
        return True

    def _count_next_orders(self) -> bool:
        return self._database.write(lambda connection: commands.count_next_orders(connection, self._piece))

    def _tell(self, work: Work, until: float) -> None:
        try:
            self._write(work, until)
        except BoardsAway as away:
            self._loading = None
            self._rest(_REST_SECONDS, "leaderboards are not written, redis is away", str(away))
        except NotThisEdition as reason:
            self._begin(str(reason))
        except Inexact as reason:
            self._begin(str(reason))
            self._rest(_INEXACT_REST_SECONDS, "leaderboards stay in Postgres", str(reason))

    def _rest(self, seconds: float, event: str, reason: str) -> None:
        log.warning(event, reason=reason)
        self._rest_until = clock.monotonic() + seconds

    def _write(self, work: Work, until: float) -> None:
        """Rule (protocols: reporting): without the marker in Redis the boards are loaded anew, by themselves."""
        if work.is_published:
            if work.changes > MOST_CHANGES:
                raise NotThisEdition("too much has changed meanwhile")
            if self._boards.edition() != work.edition:
                raise NotThisEdition("the marker is not in redis")
            if work.changes:
                self._again(lambda: self._write_changes(work.edition), until)
            return
        if self._loading is None or self._loading.edition != work.edition:
            self._begin("they are not in redis")
        elif self._again(self._load_page, until):
            self._publish(self._loading)

    def _begin(self, reason: str) -> None:
        self._loading = Loading(self._database.write(commands.begin_edition))
        log.info("leaderboards are loaded into redis", edition=self._loading.edition, reason=reason)

    def _load_page(self) -> bool:
        """Whether there is more; pages are read and written in turn, so that none overtakes a change."""
        loading = self._loading
        if loading is None or not loading.rest:
            return False
        board = loading.rest[0]
        figures = self._database.read(lambda connection: queries.page(connection, board, loading.after, self._page))
        if figures:
            self._boards.load(loading.edition, board, _exact(figures))
            loading.loaded[board] += len(figures)
            loading.after = figures[-1].member
        else:
            loading.after = ""
            loading.rest.pop(0)
        return bool(loading.rest)

    def _publish(self, loading: Loading) -> None:
        self._boards.publish(loading.edition, loading.loaded)
        self._again(lambda: self._write_changes(loading.edition), clock.monotonic() + _PASS_SECONDS)
        self._database.write(lambda connection: commands.note_published(connection, loading.edition))
        self._loading = None
        log.info("leaderboards are read from redis", edition=loading.edition)

    def _write_changes(self, edition: int) -> bool:
        """Whether there may be more.

        Rule (protocols: reporting): absolute totals, and the rows that ask for them go once Redis has them; who dies
        in between writes the same again.
        """
        changed = self._database.read(lambda connection: queries.changed(connection, _CHANGES))
        if changed.change_ids:
            figures = {board: _exact(changed.figures[board]) for board in BOARDS}
            self._boards.change(edition, changed.turn, figures, changed.gone)
            self._database.write(lambda connection: commands.forget_changes(connection, changed.change_ids))
        return len(changed.change_ids) == _CHANGES


def _exact(figures: list[Figures]) -> list[Figures]:
    for each in figures:
        if not each.is_exact_in_redis:
            raise Inexact(f"{each.member} comes to more than a sorted set can tell exactly")
    return figures
