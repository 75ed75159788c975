"""Runs the order service: `python -m order_service`."""

import sys
from pathlib import Path

from chassis.run import Service, run
from order_service.assembly import build
from order_service.settings import OrderSettings
from order_service.tables import CONTEXT

SERVICE = Service(CONTEXT, OrderSettings, build, Path(__file__).parent / "migrations")

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
