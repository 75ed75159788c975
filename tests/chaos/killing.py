"""Services that die at failpoints by `kill -9`, one point at a time, and start again without any waiting for the dead.

Every service is started with every failpoint set to crash once, and with all of them spent. To arm one is to remove the
mark that it has fired, so that no service has to be started anew for it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kafka.admin import KafkaAdminClient, MemberToRemove
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Stack
from tests.chaos.failpoints import SERVICES, consumers_of, failpoints_of
from tests.waiting import until

SETTINGS: Final[Mapping[str, str]] = {
    "SIMULATORS": "inprocess",
    "PAYMENT_TIMEOUT_SECONDS": "2",
    "PAYMENT_UNKNOWN_SCHEDULE": "0.3,1,2,4,8,16",
    "SUPPLIER_CHECK_SECONDS": "0.3",
    "SUPPLIER_TIMEOUT_SECONDS": "1",
    "SWEEP_SECONDS": "0.5",
    "RECONCILE_SECONDS": "1",
    "RECONCILE_GRACE_SECONDS": "1",
    "LOG_LEVEL": "INFO",
}
"""What else would take minutes or days takes seconds."""
CALLING: Final = ("payments", "suppliers")
DEATH_SECONDS: Final = 40.0
LATE_SECONDS: Final = 3.0
"""What is done beside the client's request may be done after its end."""


def armed_with_all(marks: Path) -> dict[str, str]:
    """The environment of services that die at failpoints; none of them yet, for all are marked as fired."""
    points = [point for service in SERVICES for point in failpoints_of(service)]
    marks.mkdir()
    for point in points:
        (marks / point).touch()
    return {**SETTINGS, "FAILPOINT": ",".join(f"{point}=crash" for point in points), "FAILPOINT_ONCE": str(marks)}


class Killing:
    """Arms failpoints of a stack that was started as `armed_with_all` says, and raises the dead."""

    def __init__(self, stack: Stack, marks: Path) -> None:
        self.stack, self._marks = stack, marks
        self._admin = KafkaAdminClient(bootstrap_servers=stack.infrastructure.kafka_bootstrap_servers)
        self.engine: Engine = create_engine(
            make_url(stack.infrastructure.database_url).set(drivername="postgresql+psycopg"), pool_pre_ping=True
        )

    def close(self) -> None:
        self._admin.close()
        self.engine.dispose()

    def arm(self, point: str) -> None:
        """Whoever passes this point next dies there."""
        (self._marks / point).unlink()

    def disarm(self, point: str) -> None:
        (self._marks / point).touch()

    def has_died(self, service: str, point: str, is_over: Callable[[], bool]) -> bool:
        """Whether it has died there; waits for that as long as there is still something to come."""
        supervisor = self.stack.infrastructure.supervisor
        mark = self._marks / point
        until(lambda: mark.exists() or is_over(), seconds=DEATH_SECONDS)
        return until(mark.exists, seconds=LATE_SECONDS) and until(lambda: supervisor.deaths(service) > 0)

    def raise_again(self, service: str) -> None:
        """Start it at once, as its supervisor would a little later, and later each time."""
        self.stack.take_down(service)
        self._bury(service)
        self.stack.bring_up(service)

    def _bury(self, service: str) -> None:
        """End what a dead process holds. Time would do so, within a quarter of a minute; nobody else held any of it."""
        context = SERVICES[service]
        with self.engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {context}.leases"))
            if context in CALLING:
                connection.execute(text(f"UPDATE {context}.calls SET leased_until = now() WHERE leased_until > now()"))
        self._leave(consumers_of(service))

    def _leave(self, groups: Sequence[str]) -> None:
        for name, group in self._admin.describe_groups(groups).items():
            members = [MemberToRemove(member_id=member["member_id"]) for member in group["members"]]
            if members:
                self._admin.remove_group_members(name, members)
