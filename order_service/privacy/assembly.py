"""The parts of privacy, put together and added to the service."""

from chassis.run import App
from order_service.privacy.jobs import Forgetter
from order_service.privacy.servicer import PrivacyServicer
from protos.orders.v1.privacy_pb2_grpc import add_PrivacyServiceServicer_to_server


def build_privacy(app: App) -> None:
    """Take the wish (role api), and fulfil it (role jobs)."""
    forgetter = Forgetter(app.database)
    app.add_job(forgetter.job)
    app.add_servicer(add_PrivacyServiceServicer_to_server, PrivacyServicer(app.database, forgetter.wake))
