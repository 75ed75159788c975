"""Reports in the test's own process: the job as passes that a test asks for, and Redis as it finds it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from sqlalchemy import text

from chassis.redis import client
from order_service.reports import commands
from order_service.reports.adapters.boards import RedisBoardWriter
from order_service.reports.domain import Board, Figures
from order_service.reports.jobs import ReportKeeper
from order_service.reports.ports import BoardWriter
from tests.reports import wrong_reports
from tests.services.order_service.refunding import a_refund, refund_of, succeeded
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import Shop
from tests.waiting import until


class Interrupted(Exception):
    """The process died here."""


class Interrupting:
    """Boards in Redis; what a test lays out happens just before or after the next change, or after the next page."""

    def __init__(self, boards: BoardWriter) -> None:
        self._boards = boards
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []
        self.loaded: list[Callable[[], None]] = []

    def edition(self) -> int:
        return self._boards.edition()

    def load(self, edition: int, board: Board, figures: Sequence[Figures]) -> None:
        self._boards.load(edition, board, figures)
        while self.loaded:
            self.loaded.pop()()

    def publish(self, edition: int, sizes: Mapping[Board, int]) -> None:
        self._boards.publish(edition, sizes)

    def change(
        self, edition: int, turn: int, changed: Mapping[Board, Sequence[Figures]], gone: Mapping[Board, Sequence[str]]
    ) -> None:
        while self.before:
            self.before.pop()()
        self._boards.change(edition, turn, changed, gone)
        while self.after:
            self.after.pop()()


class Office:
    """Where reports are kept: instances of the job over one shop and one Redis."""

    def __init__(self, shop: Shop, redis_url: str) -> None:
        self.shop = shop
        self.redis: redis.Redis = client(redis_url)
        self.redis.flushdb()
        self.boards = Interrupting(RedisBoardWriter(self.redis))
        self.keeper = self.instance()

    def instance(self, page: int = 2, piece: int = 3) -> ReportKeeper:
        """One more instance of the job; small steps, so that there are many."""
        return ReportKeeper(self.shop.database, self.boards, page, piece)

    def settle(self, keeper: ReportKeeper | None = None) -> None:
        """Passes until there is nothing more to do."""
        keeper = keeper or self.keeper

        def is_settled_after_a_pass() -> bool:
            keeper.go_on()
            return self.is_settled()

        assert until(is_settled_after_a_pass, every=0), "it does not come to rest"

    def rebuild(self) -> None:
        """An operator asks for it."""
        self.shop.database.write(lambda connection: commands.ask_to_rebuild(connection, "operator"))

    def is_settled(self) -> bool:
        """Whether all is counted and told."""
        [row] = self.shop.rows(
            "SELECT NOT EXISTS (SELECT FROM report_marks) AND NOT EXISTS (SELECT FROM report_changes)"
            " AND COALESCE((SELECT building IS NULL AND is_published FROM report_state), false) AS is_settled"
        )
        return bool(row.is_settled) and self.redis.get("orders:{reports}:edition") is not None

    def wrong(self) -> list[str]:
        """I10."""
        with self.shop.database.begin() as connection:
            return wrong_reports(connection, self.redis)

    def complete(self, *lines: tuple[str, int], customer: str = "c-17", **changes: Any) -> str:
        """An order that is paid; its id."""
        order_id = self.shop.place(*(lines or (("A", 1),)), customer=customer, **changes)
        self.shop.hear(reserved(order_id))
        self.shop.hear(captured(order_id))
        return order_id

    def give_back(self, order_id: str, amount_minor: int | None = None, **more: Any) -> None:
        """A refund that is asked for and carried out."""
        [asked] = self.shop.refund(a_refund(order_id, amount_minor=amount_minor, **more))
        self.shop.hear(succeeded(order_id, refund_of(asked), asked.refund.amount_minor))

    def one(self, sql: str) -> Any:
        """The only value of a query."""
        with self.shop.database.begin() as connection:
            return connection.execute(text(sql)).scalar_one()
