"""`orderctl`: what operators do, from the command line, over gRPC."""

from gateway.orderctl.main import main

__all__ = ["main"]
