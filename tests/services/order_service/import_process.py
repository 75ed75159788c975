"""Takes a file and goes on with its import, in a process that may die at any step: `… URL [FILE]`.

Without a file it only goes on, as a service does that was started again.
"""

import sys
from pathlib import Path

from chassis.database import Database
from order_service.imports import commands, queries
from tests.services.order_service.import_months import Importing


def main(url: str, *files: str) -> None:
    """Until everything that is under way has ended; small steps, so that there are several of each kind."""
    commands.STAGE_ROWS, commands.CHECK_ROWS, commands.PLACE_ORDERS = 100, 150, 7  # type: ignore[misc]
    importing = Importing(Database(url, schema="orders", application_name="tests"), in_flight=20)
    for file in files:
        importing.take(Path(file).read_bytes())
    while importing.database.read(queries.under_way):
        importing.go_on()
        importing.end_orders()


if __name__ == "__main__":
    main(*sys.argv[1:])
