"""A thin typed client of all contexts over gRPC, for the command line and for tests."""

from gateway.client.client import Client
from gateway.client.errors import CallFailed

__all__ = ["CallFailed", "Client"]
