"""Runs all simulated suppliers as one process: `python -m supplier_service.simulator`."""

import sys
from typing import Final

from chassis.settings import SIMULATOR_PORTS
from chassis.simulation.process import Simulator, run_simulator
from supplier_service.simulator.http import SupplierWorld
from supplier_service.simulator.settings import SuppliersSimulatorSettings

SIMULATOR: Final = Simulator(
    "suppliers_simulator",
    "supplier_service.simulator",
    SuppliersSimulatorSettings,
    SIMULATOR_PORTS["suppliers"],
    SupplierWorld,
)

if __name__ == "__main__":
    sys.exit(run_simulator(SIMULATOR, sys.argv[1:]))
