"""Simulated suppliers over HTTP, in the test's own process."""

from typing import Final

from supplier_service.simulator.http import SupplierWorld
from supplier_service.simulator.settings import SuppliersSimulatorSettings
from tests.simulators import Served

SECRET: Final = "a secret of suppliers and shop"


def served_suppliers(books_url: str, *, door: str = "", token: str = "") -> Served:
    """Suppliers with their books there, who bring their webhooks to that door."""
    settings = SuppliersSimulatorSettings(
        suppliers_simulator_database_url=books_url,
        supplier_webhook_secret=SECRET if door else "",
        webhook_url=door,
        supplier_token=token,
    )
    return Served(lambda switch: SupplierWorld(settings, switch))
