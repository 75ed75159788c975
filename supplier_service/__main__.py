"""Runs the supplier service: `python -m supplier_service`."""

import sys
from pathlib import Path

from chassis.run import Service, run
from supplier_service.assembly import build
from supplier_service.domain import CONTEXT
from supplier_service.settings import SupplierSettings
from supplier_service.simulator.journal import SCHEMA

_HERE = Path(__file__).parent

SERVICE = Service(CONTEXT, SupplierSettings, build, _HERE / "migrations", {SCHEMA: _HERE / "simulator" / "migrations"})

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
