"""Runs the simulated payment provider: `python -m payment_service.simulator`."""

import sys

from chassis.settings import SIMULATOR_PORTS
from chassis.simulation.process import Simulator, run_simulator
from payment_service.simulator.http import provider_of
from payment_service.simulator.settings import ProviderSettings

SIMULATOR = Simulator(
    "payments_simulator", "payment_service.simulator", ProviderSettings, SIMULATOR_PORTS["payments"], provider_of
)

if __name__ == "__main__":
    sys.exit(run_simulator(SIMULATOR, sys.argv[1:]))
