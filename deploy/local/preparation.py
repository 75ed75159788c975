"""What has to exist before the services run: roles, schemas and tables, and Kafka's topics."""

import sys
from collections.abc import Mapping, Sequence

from deploy.local.child import Command
from deploy.local.place import Place
from deploy.local.services import BACKENDS, inherited


def migrations(place: Place, environment: Mapping[str, str], owner_url: str) -> Sequence[Command]:
    """One per service; they alone are given the owner's URL."""
    return [service.command(place, {**environment, "DATABASE_URL": owner_url}, "--migrate") for service in BACKENDS]


def topics(place: Place, environment: Mapping[str, str]) -> Command:
    run = (sys.executable, "-m", "chassis.topics")
    return Command("chassis.topics", run, place.log_of("topics"), environment={**inherited(), **environment})
