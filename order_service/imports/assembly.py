"""The parts of imports, put together and added to the service."""

from collections.abc import Callable

from chassis.run import App
from order_service.commands import Placing
from order_service.imports.adapters.csv_file import rows_of_file
from order_service.imports.adapters.products import KnownProducts
from order_service.imports.jobs import ImportProgress
from order_service.imports.servicer import ImportServicer
from order_service.ports import Catalogue
from order_service.settings import OrderSettings
from protos.orders.v1.imports_pb2_grpc import add_ImportServiceServicer_to_server


def build_imports(
    app: App, settings: OrderSettings, placing: Placing, catalogue: Catalogue, placed: Callable[[int], None]
) -> None:
    """Serve imports (role api), and go on with those that are under way (role jobs); `placed` hears how many orders."""
    products = KnownProducts(app.database, catalogue, app.loop)
    wake_relay = app.add_relay().wake
    progress = ImportProgress(app.database, products, placing, wake_relay, settings.import_in_flight, placed)
    for job in progress.jobs:
        app.add_job(job)
    servicer = ImportServicer(
        app.database, rows_of_file, progress.wake, max_bytes=settings.import_max_bytes, currency=settings.currency
    )
    app.add_servicer(add_ImportServiceServicer_to_server, servicer)
