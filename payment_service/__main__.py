"""Runs the payment service: `python -m payment_service`."""

import sys
from pathlib import Path

from chassis.run import Service, run
from payment_service.assembly import build
from payment_service.settings import PaymentSettings
from payment_service.simulator.journal import SCHEMA
from payment_service.tables import CONTEXT

_HERE = Path(__file__).parent

SERVICE = Service(CONTEXT, PaymentSettings, build, _HERE / "migrations", {SCHEMA: _HERE / "simulator" / "migrations"})

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
