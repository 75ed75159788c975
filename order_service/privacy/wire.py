"""Forgotten customers as gRPC tells of them, and nowhere else."""

from typing import Final

from order_service.privacy.domain import Forgetting, ForgettingStatus
from protos.orders.v1 import privacy_pb2 as pb

_STATUSES: Final = {
    ForgettingStatus.FORGETTING: pb.FORGETTING_STATUS_FORGETTING,
    ForgettingStatus.FORGOTTEN: pb.FORGETTING_STATUS_FORGOTTEN,
}


def forgetting_to_proto(forgetting: Forgetting, unfinished_orders: int) -> pb.Forgetting:
    """How far it is."""
    told = pb.Forgetting(
        pseudonym=forgetting.pseudonym,
        status=_STATUSES[forgetting.status],
        orders=forgetting.orders,
        unfinished_orders=unfinished_orders,
    )
    told.asked_at.FromDatetime(forgetting.asked_at)
    if forgetting.forgotten_at is not None:
        told.forgotten_at.FromDatetime(forgetting.forgotten_at)
    return told
