"""A typed client of all contexts over gRPC, for the command line, for tests and for other Python programs.

It is thin: requests and answers are the messages of `protos/`, and every method is there as soon as it is in a proto.

    with Client.from_environment() as client:
        orders = client.orders
        try:
            order = orders.ask(orders.rpc.GetOrder, GetOrderRequest(order_id=order_id))
        except CallFailed as failed:
            print(failed.code, failed.fields)
"""

from gateway.client.client import Client
from gateway.client.errors import CallFailed
from gateway.client.service import Service

__all__ = ["CallFailed", "Client", "Service"]
