"""The image's health check tells ready from not ready, and says of whom."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from deploy.images.probe import complaints
from deploy.images.processes import PROCESSES
from deploy.local.ports import free_offset

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


@pytest.fixture
def service(servicer: health.HealthServicer) -> Iterator[dict[str, str]]:
    """What an order service is told that listens as the servicer says."""
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield {"GRPC_PORT": str(port), "REST_PORT": str(free_offset() + 8080)}
        server.stop(None).wait()


def test_a_service_that_serves_is_healthy(service: dict[str, str], servicer: health.HealthServicer) -> None:
    servicer.set("", SERVING)

    assert complaints(["order_service"], service) == []


def test_a_service_that_is_not_ready_is_named(service: dict[str, str], servicer: health.HealthServicer) -> None:
    servicer.set("", NOT_SERVING)

    [told] = complaints(["order_service"], {**service, "LISTEN_HOST": "0.0.0.0"})

    assert told == f"order_service at port {service['GRPC_PORT']}: answers, and is not ready"


def test_a_service_that_is_away_is_not_healthy() -> None:
    environment = {"PORT_OFFSET": str(free_offset())}

    [told] = complaints(["payment_service"], environment)

    assert told.endswith("does not answer (UNAVAILABLE)")
    assert complaints([], environment) == ["nothing of ours listens here"]


def test_without_a_name_whatever_listens_is_asked(service: dict[str, str], servicer: health.HealthServicer) -> None:
    servicer.set("", SERVING)
    assert complaints([], service) == []

    servicer.set("", NOT_SERVING)
    assert complaints([], service)


def test_an_unknown_name_is_refused() -> None:
    assert complaints(["orders"], {}) == ["there is no process orders"]


@pytest.mark.parametrize(("status", "told"), [(200, []), (503, ["answers 503"])])
def test_the_gateway_is_asked_over_rest(status: int, told: list[str]) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    Thread(target=server.serve_forever).start()
    try:
        found = complaints(["gateway"], {"REST_PORT": str(server.server_address[1])})
    finally:
        server.shutdown()
        server.server_close()

    assert [sentence.partition(": ")[2] for sentence in found] == told


def test_every_process_has_ports_of_its_own() -> None:
    ports = [port for process in PROCESSES for port in (process.port, process.metrics_port)]

    assert len(set(ports)) == len(ports) == 10
