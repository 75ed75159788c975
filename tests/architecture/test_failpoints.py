"""A failpoint without a path would be one at which nobody ever dies; a path without one, a row that nobody needs."""

from tests.chaos.failpoints import SERVICES, failpoints_of
from tests.chaos.paths import PATHS, paths_of

POINTS = [point for service in SERVICES for point in failpoints_of(service)]


def test_every_failpoint_lies_on_a_path() -> None:
    assert [point for point in POINTS if not paths_of(point)] == []


def test_every_path_leads_over_a_failpoint_that_is_there() -> None:
    assert [beginning for beginning in PATHS if not any(point.startswith(beginning) for point in POINTS)] == []


def test_a_failpoint_that_nobody_has_thought_of_lies_on_no_path() -> None:
    assert paths_of("orders.something_new.before_commit") == ()
